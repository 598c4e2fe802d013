import type { ByteRange } from "#lib/blobs/store.ts";

/**
 * One range of a representation of `length` bytes; null means the whole, also for what cannot be understood and for more
 * than one range.
 *
 * @see RFC 9110 section 14.1.2 and 14.2
 */
export function parseRange(header: string | undefined, length: number): ByteRange | "unsatisfiable" | null {
  const match = /^bytes=\s*(\d{0,15})-(\d{0,15})\s*$/.exec(header ?? "");
  const [, first = "", last = ""] = match ?? [];
  if (match === null || (first === "" && last === "")) return null;
  if (first === "") {
    const suffix = Math.min(Number(last), length);
    return suffix === 0 ? "unsatisfiable" : { start: length - suffix, end: length - 1 };
  }
  const start = Number(first);
  const end = last === "" ? length - 1 : Math.min(Number(last), length - 1);
  if (last !== "" && Number(last) < start) return null;
  return start >= length ? "unsatisfiable" : { start, end };
}

/** An object's address: 2 and 62 hex digits, and the kind. */
const OBJECT = /^objects\/[0-9a-f]{2}\/[0-9a-f]{62}\.[A-Za-z0-9_-]{1,32}$/;
/** Ids in modified base64, split after two characters. @see docs/contracts/treehub.md section 6 */
const DELTA = /^deltas\/[A-Za-z0-9+_-]{2}\/[A-Za-z0-9+_-]{1,128}$/;
const DELTA_FILE = /^deltas\/[A-Za-z0-9+_-]{2}\/[A-Za-z0-9+_-]{1,128}\/(?:superblock|[0-9]{1,9})$/;
const DELTA_INDEX = /^delta-indexes\/[A-Za-z0-9+_-]{2}\/[A-Za-z0-9+_-]{1,128}\.index$/;
const MANIFEST = /^manifests\/[0-9a-f]{64}$/;

/** What stands at an address of TreeHub; null for addresses that do not exist. */
export type TreehubKind = "config" | "object" | "ref" | "manifest" | "delta" | "delta-file" | "delta-index" | "deltas";

/**
 * Reads decoded segments after the API's prefix.
 *
 * @returns the percent-encoded path without prefix
 * @see docs/contracts/treehub.md section 1
 */
export function readTreehubPath(segments: readonly string[]): { kind: TreehubKind; path: string } | null {
  const name = segments.join("/");
  const kind = kindOf(name, segments);
  return kind === null ? null : { kind, path: segments.map(encodeURIComponent).join("/") };
}

/** The same for who only reads objects, refs, deltas and the configuration. */
export function treehubReadPath(segments: readonly string[]): string | null {
  const found = readTreehubPath(segments);
  return found === null || !READ_ONLY.has(found.kind) ? null : found.path;
}

const READ_ONLY: ReadonlySet<TreehubKind> = new Set(["config", "object", "ref", "delta-file", "delta-index"]);

function kindOf(name: string, segments: readonly string[]): TreehubKind | null {
  if (name === "config" || name === "deltas") return name;
  if (segments[0] === "refs") return segments.length > 1 && !segments.includes("") ? "ref" : null;
  if (OBJECT.test(name)) return "object";
  if (MANIFEST.test(name)) return "manifest";
  if (DELTA_FILE.test(name)) return "delta-file";
  if (DELTA.test(name)) return "delta";
  return DELTA_INDEX.test(name) ? "delta-index" : null;
}

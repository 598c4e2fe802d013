import { withOffsets } from "./gvariant.ts";

/** A static delta: what turns one commit into another. */
export type DeltaId = { readonly from: string; readonly to: string };

const HALF = /^[A-Za-z0-9+_]{43}$/;

/** `mbase64(from)-mbase64(to)`: base64 with `_` for `/` and without padding. @see contracts/treehub.md section 6 */
export function formatDeltaId({ from, to }: DeltaId): string {
  return `${toModifiedBase64(from)}-${toModifiedBase64(to)}`;
}

/** @returns null for anything else, also for a delta from nothing, which has one half only */
export function findDeltaId(text: string): DeltaId | null {
  const [from, to, ...rest] = text.split("-").map(findChecksum);
  return from == null || to == null || rest.length > 0 ? null : { from, to };
}

/** The checksum in modified base64. @returns null for anything else, also for a second spelling of the same */
export function findChecksum(text: string): string | null {
  if (!HALF.test(text)) return null;
  const checksum = Buffer.from(text.replaceAll("_", "/"), "base64").toString("hex");
  return toModifiedBase64(checksum) === text ? checksum : null;
}

/**
 * The index that tells libostree which deltas lead to a commit: `a{sv}` with the one key `ostree.static-deltas`, an `a{sv}` from
 * `<from>-<to>` to the digest of the delta's superblock.
 */
export function serialiseDeltaIndex(deltas: readonly { id: DeltaId; superblockSha256: string }[]): Buffer {
  const entries = deltas.map(({ id, superblockSha256 }) => ({
    key: `${id.from}-${id.to}`,
    type: "ay",
    value: Buffer.from(superblockSha256, "hex"),
  }));
  return serialiseDictionary([{ key: "ostree.static-deltas", type: "a{sv}", value: serialiseDictionary(entries) }]);
}

function toModifiedBase64(checksum: string): string {
  return Buffer.from(checksum, "hex").toString("base64").replaceAll("/", "_").replace("=", "");
}

type Entry = { key: string; type: string; value: Buffer };

/** `a{sv}`. Entries are aligned to eight bytes, as the variants in them are. */
function serialiseDictionary(entries: readonly Entry[]): Buffer {
  const parts: Buffer[] = [];
  const ends: number[] = [];
  let length = 0;
  for (const { key, type, value } of entries) {
    const keyBytes = Buffer.from(`${key}\0`);
    const variant = Buffer.concat([value, Buffer.from(`\0${type}`)]);
    const entry = withOffsets(Buffer.concat([padded(keyBytes), variant]), [keyBytes.length]);
    const gap = Buffer.alloc((8 - (length % 8)) % 8);
    parts.push(gap, entry);
    length += gap.length + entry.length;
    ends.push(length);
  }
  return withOffsets(Buffer.concat(parts), ends);
}

function padded(bytes: Buffer): Buffer {
  return Buffer.concat([bytes, Buffer.alloc((8 - (bytes.length % 8)) % 8)]);
}

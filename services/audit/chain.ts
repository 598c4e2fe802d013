import { createHash } from "node:crypto";

export type ChainedEntry = {
  namespaceId: string;
  sequence: bigint;
  at: Date;
  actorKind: string;
  actorId: string | null;
  actorName: string;
  action: string;
  outcome: string;
  settles: bigint | null;
  targetKind: string;
  targetId: string;
  targetName: string | null;
  address: string | null;
  requestId: string | null;
  before: unknown;
  after: unknown;
};

export const CHAIN_START = Buffer.alloc(32);

/** SHA-256 over the previous hash and the entry's fields in a fixed order, each value length-prefixed by JSON's own quoting. */
export function entryHash(previousHash: Uint8Array, entry: ChainedEntry): Uint8Array<ArrayBuffer> {
  const fields = [
    entry.namespaceId,
    entry.sequence.toString(),
    entry.at.toISOString(),
    entry.actorKind,
    entry.actorId,
    entry.actorName,
    entry.action,
    entry.outcome,
    entry.settles === null ? null : entry.settles.toString(),
    entry.targetKind,
    entry.targetId,
    entry.targetName,
    entry.address,
    entry.requestId,
    sorted(entry.before ?? null),
    sorted(entry.after ?? null),
  ];
  return Uint8Array.from(createHash("sha256").update(previousHash).update(JSON.stringify(fields)).digest());
}

/** jsonb does not keep the order of members; the hash must not depend on it. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (value === null || typeof value !== "object") return value;
  const entries = Object.entries(value).filter(([, member]) => member !== undefined);
  entries.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  return entries.map(([key, member]) => [key, sorted(member)]);
}

import { createHash, createPublicKey, type KeyObject } from "node:crypto";
import type { MenderAuthSet } from "#lib/contracts/mender.ts";

/** Hex SHA-256 of the key's SubjectPublicKeyInfo: keys are compared by what they are, not by how their PEM is written. */
export function keyDigest(key: KeyObject): string {
  return createHash("sha256")
    .update(key.export({ type: "spki", format: "der" }))
    .digest("hex");
}

/** The digest of an authentication set's key; null when it can't be read. */
export function digestOfSet(set: Pick<MenderAuthSet, "pubkey">): string | null {
  try {
    return keyDigest(createPublicKey(set.pubkey));
  } catch {
    return null; // a kind of key that OpenSSL does not know is none of ours
  }
}

/** Hex SHA-256 of an identity in Mender's sense: the order of its fields does not matter, values and their types do. */
export function identityDigest(identity: unknown): string {
  return createHash("sha256")
    .update(JSON.stringify(sorted(identity)))
    .digest("hex");
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([name, inner]) => [name, sorted(inner)]));
}

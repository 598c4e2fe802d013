import { createPrivateKey, sign } from "node:crypto";
import { readFileSync } from "node:fs";
import type { Json, JsonObject } from "#lib/uptane/json.ts";
import { keyPairFromSeed, type Signer, signerFromPrivate } from "#lib/uptane/keys.ts";

/*
 * The published vectors, and ways to break them by hand. Signing here is written a second time, straight on Node's crypto
 * with sort and JSON.stringify (enough for ASCII), so that the code under test is not judged by its own signer.
 */

export const vectors = JSON.parse(
  readFileSync(new URL("../vectors/vectors.json", import.meta.url), "utf8"),
) as JsonObject;

/** Walks into JSON; throws where the path leads nowhere, so that a test cannot pass by a typing mistake. */
export function at(value: Json, ...path: readonly (string | number)[]): Json {
  let here: Json = value;
  for (const step of path) {
    const next: Json | undefined =
      typeof here === "object" && here !== null ? (here as Record<string | number, Json>)[step] : undefined;
    if (next === undefined) throw new Error(`no ${path.join(".")}`);
    here = next;
  }
  return here;
}

export function textAt(value: Json, ...path: readonly (string | number)[]): string {
  return String(at(value, ...path));
}

export function objectAt(value: Json, ...path: readonly (string | number)[]): JsonObject {
  return at(value, ...path) as JsonObject;
}

/** A copy with the member at the path replaced, added, or (with `undefined`) removed. */
export function put(value: Json, path: readonly (string | number)[], replacement: Json | undefined): JsonObject {
  const copy = structuredClone(value) as Json;
  const last = path.at(-1);
  if (last === undefined) throw new Error("an empty path");
  const parent = at(copy, ...path.slice(0, -1)) as Record<string | number, Json>;
  if (replacement === undefined) delete parent[last];
  else parent[last] = replacement;
  return copy as JsonObject;
}

export type VectorRepo = "image" | "director";
export type VectorRole = "root" | "targets" | "snapshot" | "timestamp";

/** Key id and seed of a vector key, or of any other byte repeated 32 times. */
export type SeedKey = { readonly keyid: string; readonly seed: Buffer };

export function seedOf(byteHex: string): Buffer {
  return Buffer.from(byteHex.repeat(32), "hex");
}

export function seedSigner(byteHex: string): Signer {
  return signerFromPrivate("ED25519", keyPairFromSeed(seedOf(byteHex)).privateKey);
}

export function vectorKey(repo: VectorRepo, role: VectorRole): SeedKey {
  return {
    keyid: textAt(vectors, repo, "root.json", "signed", "roles", role, "keyids", 0),
    seed: seedOf(textAt(vectors, "ed25519_seeds", repo, role)),
  };
}

export function seedKey(byteHex: string): SeedKey {
  return { keyid: seedSigner(byteHex).keyId, seed: seedOf(byteHex) };
}

/** Sort and stringify; right for ASCII only, which is all these documents hold. */
export function plainCanonical(value: Json): Buffer {
  return Buffer.from(JSON.stringify(sorted(value)), "utf8");
}

export function signByHand(signed: Json, ...keys: readonly SeedKey[]): JsonObject {
  return { signatures: keys.map((key) => signatureByHand(signed, key)), signed };
}

export function signatureByHand(signed: Json, { keyid, seed }: SeedKey): JsonObject {
  const der = Buffer.concat([Buffer.from("302e020100300506032b657004220420", "hex"), seed]);
  const key = createPrivateKey({ key: der, format: "der", type: "pkcs8" });
  return { keyid, method: "ed25519", sig: sign(null, plainCanonical(signed), key).toString("base64") };
}

/** Served bytes of a document; not canonical on purpose, because white space on the wire must not matter. */
export function wire(document: Json): Buffer {
  return Buffer.from(JSON.stringify(document, null, 1), "utf8");
}

function sorted(value: Json): Json {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).sort(([left], [right]) => (left < right ? -1 : 1));
  return Object.fromEntries(entries.map(([name, item]) => [name, sorted(item)]));
}

import { describe, expect, it } from "vitest";
import type { ErrorCode } from "#lib/errors/codes.ts";
import type { Json, JsonObject } from "#lib/uptane/json.ts";
import { assertRootUnexpired, verifyInitialRoot, verifyNextRoot } from "#lib/uptane/verify.ts";
import { expectCode } from "#tests/harness/app-errors.ts";
import {
  at,
  objectAt,
  plainCanonical,
  put,
  type SeedKey,
  seedKey,
  seedSigner,
  signByHand,
  vectorKey,
  vectors,
  wire,
} from "#tests/harness/uptane-documents.ts";

const NOW = new Date("2026-08-01T00:00:00Z");
const file = (repo: "image" | "director", name: string) => objectAt(vectors, repo, name);
const signedOf = (repo: "image" | "director", name: string) => objectAt(vectors, repo, name, "signed");
const imageRoot = () => verifyInitialRoot(wire(file("image", "root.json")), 1);
const imageKey = (role: "root" | "targets" | "snapshot" | "timestamp") => vectorKey("image", role);

describe("the first root", () => {
  const base = file("image", "root.json");
  const resigned = (path: readonly (string | number)[], value: Json | undefined) =>
    signByHand(put(signedOf("image", "root.json"), path, value), imageKey("root"));

  it.each<[string, () => Json, ErrorCode]>([
    ["not signed by itself", () => put(base, ["signatures"], []), "uptane.threshold_unmet"],
    ["of another version than asked for", () => resigned(["version"], 2), "uptane.version_mismatch"],
    ["without keys", () => resigned(["keys"], undefined), "uptane.malformed"],
    ["without roles", () => resigned(["roles"], undefined), "uptane.malformed"],
    ["without one of the four roles", () => resigned(["roles", "snapshot"], undefined), "uptane.malformed"],
    ["with threshold 0", () => resigned(["roles", "targets", "threshold"], 0), "uptane.malformed"],
    ["with threshold 1001", () => resigned(["roles", "targets", "threshold"], 1001), "uptane.malformed"],
    ["with key ids that are no texts", () => resigned(["roles", "targets", "keyids"], [1]), "uptane.malformed"],
    [
      "with an elliptic curve key anywhere",
      () => resigned(["keys", "aa"], { keytype: "ECPRIME256V1", keyval: { public: "00" } }),
      "uptane.key_type_unsupported",
    ],
    [
      "with a broken key",
      () => resigned(["keys", "aa"], { keytype: "ED25519", keyval: { public: "00" } }),
      "uptane.malformed",
    ],
    ["in lower case", () => resigned(["_type"], "root"), "uptane.malformed"],
    ["larger than the cap", () => put(base, ["padding"], "x".repeat(65_536)), "uptane.too_large"],
  ])("is refused %s", (_name, document, code) => {
    expectCode(() => verifyInitialRoot(plainCanonical(document()), 1), code);
  });

  it("may be of any version when pinned, may have expired, and may list roles nobody knows", () => {
    const pinned = put(put(signedOf("image", "root.json"), ["version"], 7), ["expires"], "2020-01-01T00:00:00Z");
    const withRole = put(pinned, ["roles", "remote-sessions"], { keyids: [], threshold: 1 });
    const root = verifyInitialRoot(wire(signByHand(withRole, imageKey("root"))));
    expect(root.signed.version).toBe(7);
    expectCode(() => assertRootUnexpired(root, NOW), "uptane.expired");
  });

  it("does not take an inherited name for a key id", () => {
    const signed = put(signedOf("image", "root.json"), ["roles", "root", "keyids"], ["constructor", "__proto__"]);
    expectCode(
      () => verifyInitialRoot(wire(signByHand(signed, { ...imageKey("root"), keyid: "constructor" }))),
      "uptane.threshold_unmet",
    );
  });

  it("counts distinct keys: one key under two ids does not meet a threshold of two", () => {
    const key = imageKey("root");
    const alias: SeedKey = { keyid: "alias", seed: key.seed };
    const listed = put(
      signedOf("image", "root.json"),
      ["keys", "alias"],
      at(signedOf("image", "root.json"), "keys", key.keyid),
    );
    const signed = put(listed, ["roles", "root"], { keyids: [key.keyid, "alias"], threshold: 2 });
    expectCode(() => verifyInitialRoot(wire(signByHand(signed, key, alias))), "uptane.threshold_unmet");
    const second = seedKey("78");
    const honest = put(
      put(signed, ["keys", second.keyid], edKey("78")),
      ["roles", "root", "keyids"],
      [key.keyid, second.keyid],
    );
    expect(verifyInitialRoot(wire(signByHand(honest, key, second))).signed.version).toBe(1);
  });
});

describe("the next root", () => {
  const rotated = (version: number, newRoot: SeedKey = seedKey("78")) => {
    const keys = put(signedOf("image", "root.json"), ["keys", newRoot.keyid], edKey("78"));
    return put(put(keys, ["roles", "root", "keyids"], [newRoot.keyid]), ["version"], version);
  };
  const next = (document: Json) => verifyNextRoot(imageRoot(), wire(document));

  it("is accepted when both old and new keys signed, and a further one then needs only the new", () => {
    const second = next(signByHand(rotated(2), imageKey("root"), seedKey("78")));
    expect(second.signed.version).toBe(2);
    const third = verifyNextRoot(second, wire(signByHand(rotated(3), seedKey("78"))));
    expect(third.signed.version).toBe(3);
    expectCode(() => verifyNextRoot(second, wire(signByHand(rotated(3), imageKey("root")))), "uptane.threshold_unmet");
  });

  it.each<[string, () => Json, ErrorCode]>([
    ["signed by the new key alone", () => signByHand(rotated(2), seedKey("78")), "uptane.threshold_unmet"],
    ["signed by the old key alone", () => signByHand(rotated(2), imageKey("root")), "uptane.threshold_unmet"],
    ["that is the current one again", () => file("image", "root.json"), "uptane.rollback"],
    ["that skips a version", () => signByHand(rotated(3), imageKey("root"), seedKey("78")), "uptane.version_mismatch"],
    ["of the other repository", () => file("director", "root.json"), "uptane.threshold_unmet"],
  ])("is refused %s", (_name, document, code) => {
    expectCode(() => next(document()), code);
  });
});

function edKey(byteHex: string): JsonObject {
  const { keytype, keyval } = seedSigner(byteHex).publicKey;
  return { keytype, keyval: { public: keyval.public } };
}

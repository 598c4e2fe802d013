import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import type { ErrorCode } from "#lib/errors/codes.ts";
import type { Json, JsonObject } from "#lib/uptane/json.ts";
import type { Snapshot } from "#lib/uptane/roles.ts";
import {
  assertRootUnexpired,
  mayReplaceDirectorTargets,
  verifyDirectorTargets,
  verifyImageTargets,
  verifyInitialRoot,
  verifySnapshot,
  verifyTimestamp,
} from "#lib/uptane/verify.ts";
import { expectCode } from "#tests/harness/app-errors.ts";
import {
  at,
  objectAt,
  plainCanonical,
  put,
  seedKey,
  signatureByHand,
  signByHand,
  textAt,
  vectorKey,
  vectors,
  wire,
} from "#tests/harness/uptane-documents.ts";

/*
 * Every refusal starts from a published document, broken by hand; where its signature has to stay valid it is made again
 * with the published seed.
 */

const NOW = new Date("2026-08-01T00:00:00Z");
const file = (repo: "image" | "director", name: string) => objectAt(vectors, repo, name);
const signedOf = (repo: "image" | "director", name: string) => objectAt(vectors, repo, name, "signed");
const imageRoot = () => verifyInitialRoot(wire(file("image", "root.json")), 1);
const directorRoot = () => verifyInitialRoot(wire(file("director", "root.json")), 1);
const imageKey = (role: "root" | "targets" | "snapshot" | "timestamp") => vectorKey("image", role);

/** Snapshot or timestamp that names another document, signed again. */
function naming(parent: "snapshot" | "timestamp", name: string, document: Json, edits: JsonObject = {}): JsonObject {
  const bytes = plainCanonical(document);
  const entry = {
    hashes: { sha256: createHash("sha256").update(bytes).digest("hex") },
    length: bytes.length + 2000,
    version: at(document, "signed", "version"),
    ...edits,
  };
  return signByHand(put(signedOf("image", `${parent}.json`), ["meta", name], entry), imageKey(parent));
}

describe("the published chain", () => {
  it("verifies in both repositories, whatever the white space on the wire", () => {
    const root = imageRoot();
    assertRootUnexpired(root, NOW);
    const timestamp = verifyTimestamp({ bytes: plainCanonical(file("image", "timestamp.json")), root, now: NOW });
    // A snapshot may not be longer than signed, so the wire form has to be the canonical one here.
    const snapshotBytes = plainCanonical(file("image", "snapshot.json"));
    const snapshot = verifySnapshot({ bytes: snapshotBytes, root, now: NOW, timestamp });
    const bytes = wire(file("image", "targets.json"));
    const targets = verifyImageTargets({ bytes, root, now: NOW, snapshot, storedVersion: 2 });
    expect(targets.sha256).toBe(textAt(vectors, "image", "targets_role_checksum"));
    expect(targets.bytes).toBe(bytes);
    expect([...targets.signed.targets.keys()]).toHaveLength(2);
    expect(targets.signed.targets.get("app_1.0")).toMatchObject({
      length: 12,
      targetFormat: "BINARY",
      hardwareIds: ["rpi4"],
    });
    const director = verifyDirectorTargets({
      bytes: wire(file("director", "targets.v2.json")),
      root: directorRoot(),
      now: NOW,
    });
    expect(director.signed.correlationId).toBe("urn:here-ota:mtu:6f0a3a1e-2f0e-4c46-9a55-3b0a5a1d7c11");
    expect(director.signed.targets.get("app_1.0")?.ecuIdentifiers?.get("ecu-primary-1")).toBe("rpi4");
  });
});

describe("any signed document", () => {
  const check = (document: Json) =>
    verifyTimestamp({ bytes: plainCanonical(document), root: imageRoot(), now: NOW, storedVersion: 2 });
  const base = file("image", "timestamp.json");
  const resigned = (path: readonly string[], value: Json | undefined) =>
    signByHand(put(signedOf("image", "timestamp.json"), path, value), imageKey("timestamp"));
  const signature = () => signatureByHand(signedOf("image", "timestamp.json"), imageKey("timestamp"));

  it.each<[string, () => Json, ErrorCode]>([
    ["changed after signing", () => put(base, ["signed", "version"], 3), "uptane.threshold_unmet"],
    ["without signatures", () => put(base, ["signatures"], []), "uptane.threshold_unmet"],
    ["with a cut signature", () => put(base, ["signatures", 0, "sig"], "AAAA"), "uptane.threshold_unmet"],
    [
      "signed by another role's key",
      () => signByHand(at(base, "signed"), imageKey("snapshot")),
      "uptane.threshold_unmet",
    ],
    ["signed by a key nobody listed", () => signByHand(at(base, "signed"), seedKey("77")), "uptane.threshold_unmet"],
    [
      "signed by a stranger under the right key id",
      () => signByHand(at(base, "signed"), { ...imageKey("timestamp"), seed: seedKey("77").seed }),
      "uptane.threshold_unmet",
    ],
    [
      "with the same key id twice",
      () => put(base, ["signatures"], [signature(), signature()]),
      "uptane.signature_invalid",
    ],
    [
      "with an unknown method on a superfluous signature",
      () => put(base, ["signatures"], [signature(), { keyid: "00", method: "ecPrime256v1", sig: "AAAA" }]),
      "uptane.signature_invalid",
    ],
    ["with too many signatures", () => put(base, ["signatures"], new Array(65).fill(signature())), "uptane.malformed"],
    ["with signatures of a wrong shape", () => put(base, ["signatures"], {}), "uptane.malformed"],
    ["with a signature of a wrong shape", () => put(base, ["signatures", 0], "x"), "uptane.malformed"],
    ["with a signature without sig", () => put(base, ["signatures", 0, "sig"], undefined), "uptane.malformed"],
    ["without signed", () => put(base, ["signed"], undefined), "uptane.malformed"],
    ["that is no object", () => [1], "uptane.malformed"],
    ["with a fraction", () => resigned(["note"], 1.1), "uptane.not_canonical"],
    ["of a type in another case", () => resigned(["_type"], "timestamp"), "uptane.malformed"],
    ["of another type", () => resigned(["_type"], "Snapshot"), "uptane.malformed"],
    ["with milliseconds in its expiry", () => resigned(["expires"], "2030-01-01T00:00:00.000Z"), "uptane.malformed"],
    ["with a version that is text", () => resigned(["version"], "2"), "uptane.malformed"],
    ["with version 0", () => resigned(["version"], 0), "uptane.malformed"],
    ["with an older version than stored", () => resigned(["version"], 1), "uptane.rollback"],
    ["past its expiry", () => resigned(["expires"], "2026-07-31T23:59:59Z"), "uptane.expired"],
    ["at the very second of its expiry", () => resigned(["expires"], "2026-08-01T00:00:00Z"), "uptane.expired"],
    ["larger than the cap", () => put(base, ["padding"], "x".repeat(65_536)), "uptane.too_large"],
  ])("is refused %s", (_name, document, code) => {
    expectCode(() => check(document()), code);
  });

  it("is accepted with an additional signature by an unknown key, and with the stored version again", () => {
    const extra = signatureByHand(at(base, "signed"), seedKey("77"));
    expect(check(put(base, ["signatures"], [extra, signature()])).signed.version).toBe(2);
  });

  it("is refused once the root that vouches for it has expired, though it has not itself", () => {
    const signed = put(signedOf("image", "root.json"), ["expires"], "2026-07-01T00:00:00Z");
    const root = verifyInitialRoot(wire(signByHand(signed, imageKey("root"))), 1);
    expectCode(() => verifyTimestamp({ bytes: wire(base), root, now: NOW }), "uptane.expired");
  });
});

describe("the timestamp", () => {
  const refuse = (entry: readonly string[], value: Json | undefined) => {
    const signed = put(signedOf("image", "timestamp.json"), ["meta", "snapshot.json", ...entry], value);
    const bytes = wire(signByHand(signed, imageKey("timestamp")));
    expectCode(() => verifyTimestamp({ bytes, root: imageRoot(), now: NOW }), "uptane.malformed");
  };

  it("is refused without the snapshot's length, version or hash, or with hashes that are none", () => {
    refuse(["length"], undefined);
    refuse(["version"], undefined);
    refuse(["hashes"], undefined);
    refuse(["hashes"], {});
    refuse(["hashes", "sha256"], "zz".repeat(32));
    refuse(["hashes", "sha512"], "00");
    refuse([], undefined);
  });
});

describe("the snapshot", () => {
  const run = (document: JsonObject, timestampDocument: JsonObject, stored?: Snapshot) => {
    const root = imageRoot();
    const timestamp = verifyTimestamp({ bytes: wire(timestampDocument), root, now: NOW });
    return verifySnapshot({ bytes: plainCanonical(document), root, now: NOW, timestamp, stored });
  };
  const base = file("image", "snapshot.json");
  const changed = (path: readonly string[], value: Json | undefined) =>
    signByHand(put(signedOf("image", "snapshot.json"), path, value), imageKey("snapshot"));

  it("is refused when it is validly signed but not the one the timestamp names", () => {
    expectCode(() => run(changed(["note"], ""), file("image", "timestamp.json")), "uptane.length_mismatch");
    const sameLength = changed(["expires"], "2030-01-01T00:00:01Z");
    expectCode(() => run(sameLength, file("image", "timestamp.json")), "uptane.hash_mismatch");
  });

  it("is refused when only its sha512 differs", () => {
    const hashes = {
      sha256: textAt(file("image", "timestamp.json"), "signed", "meta", "snapshot.json", "hashes", "sha256"),
    };
    const both = naming("timestamp", "snapshot.json", base, { hashes: { ...hashes, sha512: "00".repeat(64) } });
    expectCode(() => run(base, both), "uptane.hash_mismatch");
  });

  it("is refused with another version than the timestamp states", () => {
    expectCode(() => run(base, naming("timestamp", "snapshot.json", base, { version: 3 })), "uptane.version_mismatch");
  });

  it("is refused when it, or any document it names, goes back or vanishes", () => {
    const stored = run(base, file("image", "timestamp.json")).signed;
    const against = (document: JsonObject, edits: Partial<Snapshot>) =>
      expectCode(
        () => run(document, naming("timestamp", "snapshot.json", document), { ...stored, ...edits }),
        "uptane.rollback",
      );
    against(base, { version: 3 });
    against(changed(["meta", "targets.json", "version"], 1), {});
    against(changed(["meta", "targets.json"], undefined), {});
    const onward = changed(["meta", "targets.json", "version"], 5);
    expect(run(onward, naming("timestamp", "snapshot.json", onward), stored).signed.version).toBe(2);
  });

  it("is refused when expired or signed by another role", () => {
    const expired = changed(["expires"], "2026-01-01T00:00:00Z");
    expectCode(() => run(expired, naming("timestamp", "snapshot.json", expired)), "uptane.expired");
    const stranger = signByHand(at(base, "signed"), imageKey("targets"));
    expectCode(() => run(stranger, naming("timestamp", "snapshot.json", stranger)), "uptane.threshold_unmet");
  });
});

describe("the image targets", () => {
  const run = (document: JsonObject, snapshotDocument: JsonObject, storedVersion?: number) => {
    const root = imageRoot();
    const timestamp = verifyTimestamp({
      bytes: wire(naming("timestamp", "snapshot.json", snapshotDocument)),
      root,
      now: NOW,
    });
    const snapshot = verifySnapshot({ bytes: plainCanonical(snapshotDocument), root, now: NOW, timestamp });
    return verifyImageTargets({ bytes: wire(document), root, now: NOW, snapshot, storedVersion });
  };
  const base = file("image", "targets.json");
  const changed = (path: readonly string[], value: Json | undefined) =>
    signByHand(put(signedOf("image", "targets.json"), path, value), imageKey("targets"));
  const named = (document: JsonObject, storedVersion?: number) =>
    run(document, naming("snapshot", "targets.json", document), storedVersion);

  it.each<[string, () => unknown, ErrorCode]>([
    [
      "not the ones the snapshot names",
      () => run(changed(["note"], ""), file("image", "snapshot.json")),
      "uptane.hash_mismatch",
    ],
    [
      "of another version than the snapshot states",
      () => run(base, naming("snapshot", "targets.json", base, { version: 3 })),
      "uptane.version_mismatch",
    ],
    ["older than stored", () => named(base, 3), "uptane.rollback"],
    ["expired", () => named(changed(["expires"], "2026-01-01T00:00:00Z")), "uptane.expired"],
    [
      "signed by the snapshot key",
      () => named(signByHand(at(base, "signed"), imageKey("snapshot"))),
      "uptane.threshold_unmet",
    ],
    [
      "not named by the snapshot at all",
      () =>
        run(
          base,
          signByHand(
            put(signedOf("image", "snapshot.json"), ["meta", "targets.json"], undefined),
            imageKey("snapshot"),
          ),
        ),
      "uptane.malformed",
    ],
    [
      "with an empty file name",
      () => named(changed(["targets", ""], at(base, "signed", "targets", "app_1.0"))),
      "uptane.malformed",
    ],
    ["with a negative length", () => named(changed(["targets", "app_1.0", "length"], -1)), "uptane.malformed"],
    [
      "with an unknown target format",
      () => named(changed(["targets", "app_1.0", "custom", "targetFormat"], "ZIP")),
      "uptane.malformed",
    ],
    [
      "with a hash that is none",
      () => named(changed(["targets", "app_1.0", "hashes", "sha256"], "x")),
      "uptane.malformed",
    ],
    [
      "with a delegation key of an unknown type",
      () => named(changed(["delegations"], { keys: { a: { keytype: "EC", keyval: { public: "" } } }, roles: [] })),
      "uptane.key_type_unsupported",
    ],
    ["larger than 8 MiB", () => named(changed(["padding"], "x".repeat(8_388_608))), "uptane.too_large"],
  ])("are refused %s", (_name, attempt, code) => {
    expectCode(attempt, code);
  });

  it("are accepted with delegations and items without custom, and when the snapshot states no hash", () => {
    const delegating = put(signedOf("image", "targets.json"), ["delegations"], { keys: {}, roles: [{}] });
    const document = signByHand(put(delegating, ["targets", "app_1.0", "custom"], null), imageKey("targets"));
    const parsed = run(document, naming("snapshot", "targets.json", document, { hashes: {} })).signed;
    expect(parsed.delegatedRoles).toBe(1);
    expect(parsed.targets.get("app_1.0")?.hardwareIds).toBeNull();
  });

  it("are accepted above 64 KiB", () => {
    expect(named(changed(["padding"], "x".repeat(100_000))).signed.version).toBe(2);
  });
});

describe("the director's targets", () => {
  const base = file("director", "targets.v2.json");
  const run = (document: Json, storedVersion?: number) =>
    verifyDirectorTargets({ bytes: wire(document), root: directorRoot(), now: NOW, storedVersion });
  const changed = (path: readonly string[], value: Json | undefined) =>
    signByHand(put(signedOf("director", "targets.v2.json"), path, value), vectorKey("director", "targets"));

  it.each<[string, () => unknown, ErrorCode]>([
    ["older than stored", () => run(base, 3), "uptane.rollback"],
    ["expired", () => run(changed(["expires"], "2026-01-01T00:00:00Z")), "uptane.expired"],
    ["of the image repository", () => run(file("image", "targets.json")), "uptane.threshold_unmet"],
    ["with a delegation", () => run(changed(["delegations"], { keys: {}, roles: [{}] })), "uptane.malformed"],
    [
      "with one ECU under two targets",
      () => run(changed(["targets", "app_2.0"], at(base, "signed", "targets", "app_1.0"))),
      "uptane.repeated_ecu",
    ],
    [
      "with an ECU without hardware id",
      () => run(changed(["targets", "app_1.0", "custom", "ecuIdentifiers", "x"], {})),
      "uptane.malformed",
    ],
    [
      "with an address that is no text",
      () => run(changed(["targets", "app_1.0", "custom", "uri"], 1)),
      "uptane.malformed",
    ],
    ["larger than 64 KiB", () => run(changed(["padding"], "x".repeat(65_536))), "uptane.too_large"],
  ])("are refused %s", (_name, attempt, code) => {
    expectCode(attempt, code);
  });

  it("have no correlation id when it is blank or missing", () => {
    expect(run(changed(["custom"], undefined)).signed.correlationId).toBeNull();
    expect(run(changed(["custom"], { correlationId: "" })).signed.correlationId).toBeNull();
  });

  it("replace stored ones only with a higher version, and never a non-empty list with an empty one", () => {
    const empty = (version: number) =>
      run(
        signByHand(
          put(signedOf("director", "targets.v1.json"), ["version"], version),
          vectorKey("director", "targets"),
        ),
      ).signed;
    const full = run(base).signed;
    expect(mayReplaceDirectorTargets(null, empty(1))).toBe(true);
    expect(mayReplaceDirectorTargets(empty(1), full)).toBe(true);
    expect(mayReplaceDirectorTargets(full, full)).toBe(false);
    expect(mayReplaceDirectorTargets(full, empty(3))).toBe(false);
    expect(mayReplaceDirectorTargets(empty(1), empty(2))).toBe(true);
    expect(mayReplaceDirectorTargets(full, run(changed(["version"], 3)).signed)).toBe(true);
  });
});

import { describe, expect, it } from "vitest";
import type { ErrorCode } from "#lib/errors/codes.ts";
import { assignTargets, matchTargets, type VehicleEcu } from "#lib/uptane/assignment.ts";
import type { Json, JsonObject } from "#lib/uptane/json.ts";
import { buildSnapshot, buildTimestamp } from "#lib/uptane/metadata.ts";
import { signDocument } from "#lib/uptane/signatures.ts";
import {
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
  seedSigner,
  signByHand,
  textAt,
  vectorKey,
  vectors,
  wire,
} from "#tests/harness/uptane-documents.ts";

const NOW = new Date("2026-08-01T00:00:00Z");
const EXPIRES = new Date("2030-01-01T00:00:00Z");
const PRIMARY: VehicleEcu = { serial: "ecu-primary-1", hardwareId: "rpi4", installed: null };
const SHA256 = textAt(vectors, "image", "targets.json", "signed", "targets", "app_1.0", "hashes", "sha256");
type Edit = readonly [path: readonly (string | number)[], value: Json | undefined];

/** The published director targets with edits below `targets["app_1.0"]`, signed again. */
function director(...edits: readonly Edit[]) {
  const root = verifyInitialRoot(wire(at(vectors, "director", "root.json")), 1);
  const signed = edited(objectAt(vectors, "director", "targets.v2.json", "signed"), edits);
  return verifyDirectorTargets({ bytes: wire(signByHand(signed, vectorKey("director", "targets"))), root, now: NOW });
}

function image(...edits: readonly Edit[]) {
  const root = verifyInitialRoot(wire(at(vectors, "image", "root.json")), 1);
  const signed = edited(objectAt(vectors, "image", "targets.json", "signed"), edits);
  const bytes = plainCanonical(signByHand(signed, vectorKey("image", "targets")));
  const targets = signDocument(signed, [seedSigner("03")]);
  const meta = { "targets.json": { ...targets, version: 2 } };
  const snapshot = signDocument(buildSnapshot({ version: 2, expires: EXPIRES, meta }), [seedSigner("02")]);
  const named = buildTimestamp({ version: 2, expires: EXPIRES, snapshot: { ...snapshot, version: 2 } });
  const timestamp = verifyTimestamp({ bytes: signDocument(named, [seedSigner("04")]).bytes, root, now: NOW });
  const verifiedSnapshot = verifySnapshot({ bytes: snapshot.bytes, root, now: NOW, timestamp });
  return verifyImageTargets({ bytes, root, now: NOW, snapshot: verifiedSnapshot });
}

function edited(signed: JsonObject, edits: readonly Edit[]): JsonObject {
  return edits.reduce((copy, [path, value]) => put(copy, ["targets", ...path], value), signed);
}

describe("both repositories together", () => {
  it("match on the published documents", () => {
    expect(matchTargets(director(), image(), [PRIMARY])).toEqual([
      { filename: "app_1.0", length: 12, sha256: SHA256, format: "BINARY", uri: null, serials: ["ecu-primary-1"] },
    ]);
  });

  it.each<[string, readonly Edit[], readonly Edit[], ErrorCode]>([
    ["the image is not listed", [], [[["app_1.0"], undefined]], "uptane.target_mismatch"],
    ["the lengths differ", [], [[["app_1.0", "length"], 13]], "uptane.target_mismatch"],
    ["the hashes differ", [], [[["app_1.0", "hashes", "sha256"], "00".repeat(32)]], "uptane.target_mismatch"],
    ["no hash is common", [[["app_1.0", "hashes"], { sha512: "00".repeat(64) }]], [], "uptane.target_mismatch"],
    [
      "one hash agrees and the other conflicts",
      [[["app_1.0", "hashes", "sha512"], "00".repeat(64)]],
      [[["app_1.0", "hashes", "sha512"], "11".repeat(64)]],
      "uptane.target_mismatch",
    ],
    [
      "only sha512 is known",
      [[["app_1.0", "hashes"], { sha512: "00".repeat(64) }]],
      [[["app_1.0", "hashes"], { sha512: "00".repeat(64) }]],
      "uptane.target_mismatch",
    ],
    ["the image lists no hardware", [], [[["app_1.0", "custom", "hardwareIds"], []]], "uptane.hardware_mismatch"],
    ["the image has no hardware list", [], [[["app_1.0", "custom"], null]], "uptane.hardware_mismatch"],
    [
      "the image is for other hardware",
      [],
      [[["app_1.0", "custom", "hardwareIds"], ["rpi5"]]],
      "uptane.hardware_mismatch",
    ],
    [
      "the director sends hardwareIds",
      [[["app_1.0", "custom", "hardwareIds"], ["rpi4"]]],
      [],
      "uptane.target_mismatch",
    ],
    [
      "the image repository sends ecuIdentifiers",
      [],
      [[["app_1.0", "custom", "ecuIdentifiers"], { "ecu-primary-1": { hardwareId: "rpi4" } }]],
      "uptane.target_mismatch",
    ],
  ])("refuse when %s", (_name, directorEdits, imageEdits, code) => {
    expectCode(() => matchTargets(director(...directorEdits), image(...imageEdits), [PRIMARY]), code);
  });

  it("need every hardware id of a target that serves several ECUs", () => {
    const both = director([["app_1.0", "custom", "ecuIdentifiers", "ecu-2"], { hardwareId: "sensor" }]);
    const ecus = [PRIMARY, { serial: "ecu-2", hardwareId: "sensor", installed: null }];
    expectCode(() => matchTargets(both, image(), ecus), "uptane.hardware_mismatch");
    const wide = image([
      ["app_1.0", "custom", "hardwareIds"],
      ["sensor", "rpi4"],
    ]);
    expect(matchTargets(both, wide, ecus)[0]?.serials).toEqual(["ecu-primary-1", "ecu-2"]);
  });

  it("take the director's address first, then the image's, and neither for the placeholder", () => {
    const uri = (value: string): Edit => [["app_1.0", "custom", "uri"], value];
    const address = (directorUri: string, imageUri: string) =>
      matchTargets(director(uri(directorUri)), image(uri(imageUri)), [PRIMARY])[0]?.uri;
    expect(address("https://a/x", "https://b/x")).toBe("https://a/x");
    expect(address("", "https://b/x")).toBe("https://b/x");
    expect(address("https://example.com/", "")).toBeNull();
  });

  it("decide the format by the director's copy: no format and length 0 is OSTree", () => {
    const name = Object.keys(objectAt(vectors, "image", "targets.json", "signed", "targets"))[1] ?? "";
    const tree = at(vectors, "image", "targets.json", "signed", "targets", name);
    const custom = { ecuIdentifiers: { "ecu-primary-1": { hardwareId: "rpi4" } } };
    const assigned = director([["app_1.0"], undefined], [[name], put(tree, ["custom"], custom)]);
    expect(matchTargets(assigned, image(), [PRIMARY])[0]?.format).toBe("OSTREE");
    const stated = director(
      [["app_1.0"], undefined],
      [[name], put(tree, ["custom"], { ...custom, targetFormat: "BINARY" })],
    );
    expect(matchTargets(stated, image(), [PRIMARY])[0]?.format).toBe("BINARY");
  });
});

describe("the director's half", () => {
  it.each<[string, readonly VehicleEcu[], ErrorCode]>([
    ["an ECU that is not here", [], "uptane.unknown_ecu"],
    ["another hardware id", [{ ...PRIMARY, hardwareId: "rpi5" }], "uptane.hardware_mismatch"],
    [
      "an installed name with another hash",
      [{ ...PRIMARY, installed: { filename: "app_1.0", sha256: "00".repeat(32), length: 12 } }],
      "uptane.target_mismatch",
    ],
    [
      "an installed name with another length",
      [{ ...PRIMARY, installed: { filename: "app_1.0", sha256: SHA256, length: 11 } }],
      "uptane.target_mismatch",
    ],
  ])("is refused with %s", (_name, ecus, code) => {
    expectCode(() => assignTargets(director(), ecus), code);
  });

  it("does not mind what is installed under another name, or the same content under the same name", () => {
    for (const filename of ["app_0.9", "app_1.0"]) {
      const ecu = { ...PRIMARY, installed: { filename, sha256: SHA256, length: 12 } };
      expect(assignTargets(director(), [ecu])).toHaveLength(1);
    }
  });

  it("leaves a target alone that names no ECU", () => {
    expect(assignTargets(director([["app_1.0", "custom"], null]), [PRIMARY])[0]?.serials).toEqual([]);
  });
});

import { describe, expect, it } from "vitest";
import { canonicalBytes } from "#lib/uptane/canonical.ts";
import { buildDirectorTargets } from "#lib/uptane/metadata.ts";
import {
  isKnownImage,
  type ListedAssignment,
  type ListedEcu,
  listAssigned,
  listInstalled,
  refusalOf,
} from "./targets.ts";

const ID = "urn:here-ota:mtu:11111111-0000-4000-8000-000000000000";
const SHA256_OF_NOTHING = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
const sha = (letter: string) => letter.repeat(64);
const assigned = (ecuSerial: string, changes: Partial<ListedAssignment> = {}): ListedAssignment => ({
  ecuSerial,
  correlationId: ID,
  filename: "app_1",
  sha256: sha("a"),
  length: 12,
  uri: null,
  custom: null,
  ...changes,
});
const ecu = (serial: string, installed: ListedEcu["installed"] = null): ListedEcu => ({
  serial,
  hardwareId: `hw-${serial}`,
  installed,
});
const runs = (filename: string, letter = "a", length = 12) => ({ filename, sha256: sha(letter), length });
const signed = (list: ReturnType<typeof listAssigned>) =>
  canonicalBytes({
    signatures: [],
    signed: buildDirectorTargets({ version: 1, expires: new Date(0), ...list }),
  });

describe("the list of assignments", () => {
  it("merges ECUs of the same file and is named by the oldest assignment", () => {
    const list = listAssigned([assigned("P"), assigned("S", { correlationId: "later" })], [ecu("P"), ecu("S")]);
    expect(list.correlationId).toBe(ID);
    expect(list.targets).toHaveLength(1);
    expect(list.targets[0]?.ecus.map(({ serial, hardwareId }) => [serial, hardwareId])).toEqual([
      ["P", "hw-P"],
      ["S", "hw-S"],
    ]);
  });

  it("leaves out an ECU that the device does not have", () => {
    const list = listAssigned([assigned("gone", { correlationId: "gone" }), assigned("P")], [ecu("P")]);
    expect(list).toMatchObject({ correlationId: ID, targets: [{ ecus: [{ serial: "P" }] }] });
  });

  it("is refused when one name has two contents, or the document would exceed 64 KiB", () => {
    const ecus = Array.from({ length: 100 }, (_, index) => ecu(`ecu-${index}`));
    const clash = listAssigned([assigned("ecu-0"), assigned("ecu-1", { sha256: sha("b") })], ecus);
    expect(refusalOf(clash)?.code).toBe("invalid_assignment");
    const fine = ecus.map(({ serial }, index) => assigned(serial, { filename: `app_${index}` }));
    expect(refusalOf(listAssigned(fine, ecus))).toBeNull();
    const long = fine.map((row) => ({ ...row, uri: `https://example.org/${"x".repeat(600)}` }));
    expect(refusalOf(listAssigned(long, ecus))?.code).toBe("metadata_too_large");
  });
});

describe("what takes the place of a withdrawn list", () => {
  const withdrawn = signed(listAssigned([assigned("S", { filename: "new" })], [ecu("S")]));

  it("is the image of the ECU that was to be updated", () => {
    const list = listInstalled(ID, withdrawn, [ecu("P", runs("boot")), ecu("S", runs("old"))]);
    expect(list).toMatchObject({ correlationId: ID, targets: [{ filename: "old", ecus: [{ serial: "S" }] }] });
    expect(list.targets).toHaveLength(1);
  });

  it("is the image of any other ECU when that one never reported any", () => {
    const list = listInstalled(ID, withdrawn, [ecu("P", runs("boot")), ecu("S", runs("noimage"))]);
    expect(list).toMatchObject({ targets: [{ filename: "boot", ecus: [{ serial: "P" }] }] });
  });

  it("is nothing when no ECU ever reported an image", () => {
    expect(listInstalled(ID, withdrawn, [ecu("P"), ecu("S", runs("unknown"))]).targets).toEqual([]);
  });

  it("names one of two images that share a file name, since one is enough", () => {
    const both = signed(listAssigned([assigned("P"), assigned("S")], [ecu("P"), ecu("S")]));
    const list = listInstalled(ID, both, [ecu("P", runs("same", "a")), ecu("S", runs("same", "b"))]);
    expect(refusalOf(list)).toBeNull();
    expect(list.targets).toMatchObject([{ sha256: sha("a"), ecus: [{ serial: "P" }] }]);
  });

  it("knows what is an image: not the factory state, not a name that metadata can't hold", () => {
    expect(isKnownImage(runs("app_1"))).toBe(true);
    // An OSTree image has length 0 and a commit as its hash.
    expect(isKnownImage(runs("main-abc", "a", 0))).toBe(true);
    expect(isKnownImage({ filename: "app_1", sha256: SHA256_OF_NOTHING, length: 0 })).toBe(false);
    for (const filename of ["unknown", "noimage", "", "ü", "a\uFFFDb", "../etc", "__proto__", "x".repeat(254)]) {
      expect(isKnownImage(runs(filename)), filename).toBe(false);
    }
    expect(isKnownImage({ ...runs("app_1"), sha256: "" })).toBe(false);
    expect(isKnownImage(null)).toBe(false);
  });
});

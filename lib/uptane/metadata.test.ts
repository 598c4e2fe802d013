import { describe, expect, it } from "vitest";
import type { Json } from "#lib/uptane/json.ts";
import { parseTufKey } from "#lib/uptane/keys.ts";
import {
  buildDirectorTargets,
  buildImageTargets,
  buildRoot,
  buildSnapshot,
  buildTimestamp,
  type DirectorTargetInput,
  type ImageTargetInput,
} from "#lib/uptane/metadata.ts";
import { expectCode } from "#tests/harness/app-errors.ts";
import { at, objectAt, seedSigner, textAt, vectors } from "#tests/harness/uptane-documents.ts";

const expires = new Date("2030-01-01T00:00:00.789Z");
const published = (repo: string, name: string) => at(vectors, repo, name, "signed");
const SHA256 = textAt(vectors, "image", "targets.json", "signed", "targets", "app_1.0", "hashes", "sha256");
const created = new Date("2024-03-01T10:00:00Z");
const APP: ImageTargetInput = {
  filename: "app_1.0",
  sha256: SHA256,
  length: 12,
  name: "app",
  version: "1.0",
  hardwareIds: ["rpi4"],
  targetFormat: "BINARY",
  createdAt: created,
  updatedAt: created,
};
const ASSIGNED: DirectorTargetInput = {
  filename: "app_1.0",
  sha256: SHA256,
  length: 12,
  ecus: [{ serial: "ecu-primary-1", hardwareId: "rpi4" }],
};
const CORRELATION = "urn:here-ota:mtu:6f0a3a1e-2f0e-4c46-9a55-3b0a5a1d7c11";

describe("what the builders make is the published document", () => {
  it.each(["image", "director"])("root of %s", (repo) => {
    const role = (name: string) => ({
      keys: [seedSigner(textAt(vectors, "ed25519_seeds", repo, name)).publicKey],
      threshold: 1,
    });
    const roles = {
      root: role("root"),
      snapshot: role("snapshot"),
      targets: role("targets"),
      timestamp: role("timestamp"),
    };
    expect(buildRoot({ version: 1, expires, roles })).toEqual(published(repo, "root.json"));
  });

  it("image targets", () => {
    const commit = "9505cacb7c710ed17125fcc6cb3669e8ddca6c8cd8af6a31f6b3cd64604c3098";
    const tree: ImageTargetInput = {
      ...APP,
      filename: `image-${commit}`,
      sha256: commit,
      length: 0,
      name: "image",
      version: commit,
      targetFormat: "OSTREE",
    };
    expect(buildImageTargets({ version: 2, expires, targets: [APP, tree] })).toEqual(
      published("image", "targets.json"),
    );
  });

  it("snapshot and timestamp", () => {
    const entry = (value: Json) => ({
      checksum: textAt(value, "hashes", "sha256"),
      length: Number(at(value, "length")),
      version: Number(at(value, "version")),
    });
    const meta = objectAt(vectors, "image", "snapshot.json", "signed", "meta");
    const named = { "root.json": entry(at(meta, "root.json")), "targets.json": entry(at(meta, "targets.json")) };
    expect(buildSnapshot({ version: 2, expires, meta: named })).toEqual(published("image", "snapshot.json"));
    const snapshot = entry(at(vectors, "image", "timestamp.json", "signed", "meta", "snapshot.json"));
    expect(buildTimestamp({ version: 2, expires, snapshot })).toEqual(published("image", "timestamp.json"));
  });

  it("director targets, with and without an assignment", () => {
    expect(buildDirectorTargets({ version: 1, expires, correlationId: null, targets: [] })).toEqual(
      published("director", "targets.v1.json"),
    );
    expect(buildDirectorTargets({ version: 2, expires, correlationId: CORRELATION, targets: [ASSIGNED] })).toEqual(
      published("director", "targets.v2.json"),
    );
  });
});

describe("what the builders add and refuse", () => {
  const image = (edits: Partial<ImageTargetInput>) => () =>
    buildImageTargets({ version: 1, expires, targets: [{ ...APP, ...edits }] });
  const director = (edits: Partial<DirectorTargetInput>) => () =>
    buildDirectorTargets({ version: 1, expires, correlationId: CORRELATION, targets: [{ ...ASSIGNED, ...edits }] });

  it("keep added members of custom without letting them replace ours", () => {
    const extraCustom = { note: "kept", hardwareIds: ["evil"] };
    const custom = at(image({ extraCustom, uri: "https://a/x", cliUploaded: true })(), "targets", "app_1.0", "custom");
    expect(custom).toMatchObject({ note: "kept", hardwareIds: ["rpi4"], uri: "https://a/x", cliUploaded: true });
  });

  it("refuse names that are not ASCII, wherever they enter", () => {
    for (const edits of [{ filename: "ü" }, { name: "ü" }, { version: "ü" }, { hardwareIds: ["ü"] }]) {
      expectCode(image(edits), "uptane.not_canonical");
    }
    expectCode(director({ filename: "ü" }), "uptane.not_canonical");
    expectCode(director({ ecus: [{ serial: "ü", hardwareId: "rpi4" }] }), "uptane.not_canonical");
    expectCode(director({ ecus: [{ serial: "a", hardwareId: "ü" }] }), "uptane.not_canonical");
    const meta = { "ü.json": { checksum: SHA256, length: 1, version: 1 } };
    expectCode(() => buildSnapshot({ version: 1, expires, meta }), "uptane.not_canonical");
    expectCode(
      () => buildDirectorTargets({ version: 1, expires, correlationId: "ü", targets: [ASSIGNED] }),
      "uptane.not_canonical",
    );
  });

  it("refuse what devices would misread: wrong hash, length, version, OSTree with a length, binary without", () => {
    expectCode(image({ sha256: SHA256.toUpperCase() }), "uptane.malformed");
    expectCode(image({ length: 1.5 }), "uptane.malformed");
    expectCode(image({ length: 0 }), "uptane.malformed");
    expectCode(image({ targetFormat: "OSTREE" }), "uptane.malformed");
    expectCode(director({ length: -1 }), "uptane.malformed");
    expectCode(director({ filename: "__proto__" }), "uptane.malformed");
    expectCode(() => buildImageTargets({ version: 0, expires, targets: [] }), "uptane.malformed");
    expectCode(() => buildImageTargets({ version: 1, expires, targets: [APP, APP] }), "uptane.malformed");
  });

  it("refuse targets for a device without correlation id", () => {
    expectCode(
      () => buildDirectorTargets({ version: 1, expires, correlationId: null, targets: [ASSIGNED] }),
      "uptane.malformed",
    );
  });

  it("refuse an ECU under two targets, or twice under one", () => {
    const twice = [ASSIGNED, { ...ASSIGNED, filename: "app_2.0" }];
    expectCode(
      () => buildDirectorTargets({ version: 1, expires, correlationId: CORRELATION, targets: twice }),
      "uptane.repeated_ecu",
    );
    expectCode(director({ ecus: [...ASSIGNED.ecus, ...ASSIGNED.ecus] }), "uptane.repeated_ecu");
  });

  it("refuse a root whose threshold its keys cannot meet", () => {
    const key = parseTufKey(at(vectors, "image", "root.json", "signed", "keys", seedSigner("01").keyId));
    for (const threshold of [0, 2, Number.NaN]) {
      const role = { keys: [key], threshold };
      const roles = { root: role, snapshot: role, targets: role, timestamp: role };
      expectCode(() => buildRoot({ version: 1, expires, roles }), "uptane.malformed");
    }
  });
});

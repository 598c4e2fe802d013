import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Bench, NOW, offer, openBench } from "#device/tests/bench.ts";
import type { ErrorCode } from "#lib/errors/codes.ts";
import type { Json, JsonObject } from "#lib/uptane/json.ts";
import { at, objectAt, put, seedKey, signByHand, type VectorRole, vectorKey } from "#tests/harness/uptane-documents.ts";
import { CORRELATION, metaEntry, sign } from "#tests/harness/uptane-repository.ts";

const OLD = Buffer.from("firmware 1.0");
const NEW = Buffer.from("firmware 2.0");
let bench: Bench;

/** Every test starts with app_1.0 installed and app_2.0 offered; each breaks one thing. */
beforeEach(async () => {
  bench = await openBench();
  offer(bench, "app_1.0", OLD);
  expect((await bench.cycle()).kind).toBe("installed");
  offer(bench, "app_2.0", NEW);
});
afterEach(() => bench.close());

async function expectOldImage(): Promise<void> {
  const { serial } = bench.device.primary;
  expect(bench.device.store.state.installed[serial]?.filename).toBe("app_1.0");
  expect(await readFile(join(bench.stateDir, "images", serial, "image"))).toEqual(OLD);
  expect(bench.manifests().at(-1)?.ecus[0]?.installedImage.filepath).toBe("app_1.0");
}

/** Replaces members of a served document and signs it again with the key it had. */
function edit(path: string, role: VectorRole, at: readonly string[], value: Json | undefined): void {
  const repo = path.startsWith("/repo") ? "image" : "director";
  bench.server.repository.documents.set(path, sign(repo, role, put(signedAt(path), at, value)));
}

function signedAt(path: string): JsonObject {
  return objectAt(served(path), "signed");
}

function served(path: string): JsonObject {
  const document = bench.server.repository.documents.get(path);
  if (document === undefined) throw new Error(`${path} is not served`);
  return document;
}

function forge(path: string): void {
  bench.server.repository.documents.set(path, signByHand(signedAt(path), seedKey("77")));
}

/** Makes snapshot and timestamp name what is served, so that only the document itself is wrong. */
function rename(parent: "snapshot" | "timestamp", name: string): void {
  edit(
    `/repo/${parent}.json`,
    parent,
    ["meta", name],
    metaEntry(served(`/repo/${name}`), Number(at(served(`/repo/${name}`), "signed", "version"))),
  );
}

const PAST = "2026-07-31T00:00:00Z";

describe("a document that must stop the cycle without any report", () => {
  it.each<[string, () => void, ErrorCode]>([
    ["director targets signed by a stranger", () => forge("/director/targets.json"), "uptane.threshold_unmet"],
    ["expired director targets", () => edit("/director/targets.json", "targets", ["expires"], PAST), "uptane.expired"],
    ["older director targets", () => edit("/director/targets.json", "targets", ["version"], 1), "uptane.rollback"],
    [
      "an ECU that is not here",
      () => bench.server.repository.assign({ filename: "app_2.0", ecus: { stranger: "rpi4" } }),
      "uptane.unknown_ecu",
    ],
    [
      "another hardware id for the primary",
      () => bench.server.repository.assign({ filename: "app_2.0", ecus: { [bench.device.primary.serial]: "rpi5" } }),
      "uptane.hardware_mismatch",
    ],
    [
      "the installed file name with another content",
      () => {
        bench.server.repository.publish("app_1.0", { content: NEW, hardwareIds: ["rpi4"] });
        bench.server.repository.assign({ filename: "app_1.0", ecus: { [bench.device.primary.serial]: "rpi4" } });
      },
      "uptane.target_mismatch",
    ],
    [
      "a next director root signed by a stranger",
      () => {
        bench.server.repository.rotateRoot("director");
        forge("/director/2.root.json");
      },
      "uptane.threshold_unmet",
    ],
    [
      "the current root again as the next",
      () => bench.server.repository.documents.set("/director/2.root.json", served("/director/1.root.json")),
      "uptane.rollback",
    ],
    [
      "a director root that has expired",
      () => bench.server.repository.rotateRoot("director", { expires: PAST }),
      "uptane.expired",
    ],
    [
      "an image root that has expired",
      () => bench.server.repository.rotateRoot("repo", { expires: PAST }),
      "uptane.expired",
    ],
    ["a forged timestamp", () => forge("/repo/timestamp.json"), "uptane.threshold_unmet"],
    ["an older timestamp", () => edit("/repo/timestamp.json", "timestamp", ["version"], 1), "uptane.rollback"],
    ["an expired timestamp", () => edit("/repo/timestamp.json", "timestamp", ["expires"], PAST), "uptane.expired"],
    [
      "a snapshot that is not the one named",
      () => edit("/repo/snapshot.json", "snapshot", ["expires"], "2030-01-01T00:00:01Z"),
      "uptane.hash_mismatch",
    ],
    [
      "a forged snapshot that the timestamp names",
      () => {
        forge("/repo/snapshot.json");
        rename("timestamp", "snapshot.json");
      },
      "uptane.threshold_unmet",
    ],
    [
      "a snapshot in which the targets go back",
      () => {
        edit("/repo/snapshot.json", "snapshot", ["meta", "targets.json", "version"], 1);
        rename("timestamp", "snapshot.json");
      },
      "uptane.rollback",
    ],
    [
      "image targets that are not the ones named",
      () => edit("/repo/targets.json", "targets", ["expires"], "2030-01-01T00:00:01Z"),
      "uptane.hash_mismatch",
    ],
    [
      "forged image targets that the chain names",
      () => {
        forge("/repo/targets.json");
        rename("snapshot", "targets.json");
        rename("timestamp", "snapshot.json");
      },
      "uptane.threshold_unmet",
    ],
    [
      "image targets that nobody serves",
      () => bench.server.repository.documents.delete("/repo/targets.json"),
      "backend.refused",
    ],
  ])("%s", async (_name, breakIt, code) => {
    breakIt();
    bench.server.takeLines();
    const outcome = await bench.cycle();
    expect(outcome).toMatchObject({ kind: "stopped", error: { code } });
    const lines = bench.server.takeLines();
    expect(lines.at(-1)).toBe("PUT /director/manifest");
    expect(lines.filter((line) => line.startsWith("GET /repo/targets/"))).toEqual([]);
    expect(bench.manifests().at(-1)?.report.kind).toBe("absent");
    await expectOldImage();
  });

  it("fetches nothing more under a root that has expired", async () => {
    bench.server.repository.rotateRoot("director", { expires: PAST });
    bench.server.takeLines();
    await bench.cycle();
    expect(bench.server.takeLines()).not.toContain("GET /director/targets.json");
  });

  it("recovers by itself once the server is right again", async () => {
    const right = served("/director/targets.json");
    forge("/director/targets.json");
    expect((await bench.cycle()).kind).toBe("stopped");
    bench.server.repository.documents.set("/director/targets.json", right);
    expect((await bench.cycle()).kind).toBe("installed");
  });
});

describe("repositories that contradict each other are reported as VERIFICATION_FAILED", () => {
  const primary = () => ({ [bench.device.primary.serial]: "rpi4" });
  const item = ["targets", "app_2.0"];
  const editImage = (path: readonly string[], value: Json | undefined) => {
    edit("/repo/targets.json", "targets", [...item, ...path], value);
    rename("snapshot", "targets.json");
    rename("timestamp", "snapshot.json");
  };

  it.each<[string, () => void]>([
    [
      "another hash",
      () => bench.server.repository.assign({ filename: "app_2.0", ecus: primary(), lie: { sha256: "00".repeat(32) } }),
    ],
    [
      "another length",
      () => bench.server.repository.assign({ filename: "app_2.0", ecus: primary(), lie: { length: 11 } }),
    ],
    [
      "an image nobody published",
      () => bench.server.repository.assign({ filename: "app_3.0", ecus: primary(), lie: { length: 5 } }),
    ],
    ["an image for other hardware", () => editImage(["custom", "hardwareIds"], ["rpi5"])],
    ["ecuIdentifiers in the image repository", () => editImage(["custom", "ecuIdentifiers"], {})],
  ])("%s", async (_name, breakIt) => {
    breakIt();
    expect(await bench.cycle()).toMatchObject({ kind: "failed", code: "VERIFICATION_FAILED" });
    expect(bench.manifests().at(-1)?.report).toMatchObject({
      kind: "present",
      report: { correlationId: CORRELATION, result: { success: false, code: "VERIFICATION_FAILED" }, items: [] },
    });
    await expectOldImage();
  });

  it("and never reported without a correlation id", async () => {
    bench.server.repository.assign({ filename: "app_2.0", ecus: primary(), lie: { length: 11 }, correlationId: null });
    expect((await bench.cycle()).kind).toBe("failed");
    expect(bench.manifests().at(-1)?.report.kind).toBe("absent");
    await expectOldImage();
  });
});

describe("what must not stop a device", () => {
  it("follows several new roots in one cycle, also over one that had expired", async () => {
    bench.server.repository.rotateRoot("director", { expires: PAST });
    bench.server.repository.rotateRoot("director");
    bench.server.repository.rotateRoot("repo");
    expect((await bench.cycle()).kind).toBe("installed");
    bench.server.takeLines();
    await bench.cycle();
    expect(bench.server.takeLines()).toContain("GET /director/4.root.json");
  });

  it("ends the root chain quietly on a server error", async () => {
    bench.server.answer("GET /director/2.root.json", 500, 3);
    expect((await bench.cycle()).kind).toBe("installed");
  });

  it("lets versions start anew after a root step", async () => {
    bench.server.repository.rotateRoot("director");
    edit("/director/targets.json", "targets", ["version"], 1);
    expect((await bench.cycle()).kind).toBe("installed");
  });
});

describe("the director's list", () => {
  it("when empty does not take back what was listed before", async () => {
    bench.server.answer("GET /repo/timestamp.json", 404, 1);
    expect((await bench.cycle()).kind).toBe("stopped");
    bench.server.repository.assign(null);
    expect(await bench.cycle()).toEqual({ kind: "installed", filenames: ["app_2.0"] });
  });

  it("takes it back by naming what is installed, under a new version", async () => {
    bench.server.answer("GET /repo/timestamp.json", 404, 1);
    expect((await bench.cycle()).kind).toBe("stopped");
    bench.server.repository.assign({ filename: "app_1.0", ecus: { [bench.device.primary.serial]: "rpi4" } });
    expect((await bench.cycle()).kind).toBe("idle");
    await expectOldImage();
  });

  it("with the stored version and another content is not taken", async () => {
    await bench.cycle();
    bench.server.repository.publish("app_3.0", { content: Buffer.from("three"), hardwareIds: ["rpi4"] });
    const version = at(served("/director/targets.json"), "signed", "version");
    bench.server.repository.assign({ filename: "app_3.0", ecus: { [bench.device.primary.serial]: "rpi4" } });
    const signed = put(signedAt("/director/targets.json"), ["version"], version);
    bench.server.repository.documents.set(
      "/director/targets.json",
      signByHand(signed, vectorKey("director", "targets")),
    );
    expect((await bench.cycle()).kind).toBe("idle");
  });

  it("is checked even where it is not taken: a stranger's ECU under the stored version stops the cycle", async () => {
    await bench.cycle();
    const version = at(served("/director/targets.json"), "signed", "version");
    bench.server.repository.assign({ filename: "app_2.0", ecus: { stranger: "rpi4" } });
    edit("/director/targets.json", "targets", ["version"], version);
    expect(await bench.cycle()).toMatchObject({ kind: "stopped", error: { code: "uptane.unknown_ecu" } });
  });

  it("is judged by the device's own clock", async () => {
    await bench.restart({ clock: () => new Date("2030-01-01T00:00:00Z") });
    expect(await bench.cycle()).toMatchObject({ kind: "stopped", error: { code: "uptane.expired" } });
    await bench.restart({ clock: () => NOW });
    expect((await bench.cycle()).kind).toBe("installed");
  });
});

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Bench, offer, openBench } from "#device/tests/bench.ts";
import { parseTufKey } from "#lib/uptane/keys.ts";
import { verifyManifest } from "#lib/uptane/manifest.ts";
import { at } from "#tests/harness/uptane-documents.ts";
import { CORRELATION, sha256Hex } from "#tests/harness/uptane-repository.ts";

const FIRMWARE = Buffer.from("firmware 1.0");
const IDLE = ["PUT /director/manifest", "GET /director/2.root.json", "GET /director/targets.json"];
let bench: Bench;

beforeEach(async () => {
  bench = await openBench({ secondaries: 1 });
});
afterEach(() => bench.close());

describe("what a device asks, in order", () => {
  it("registers, describes itself and finds nothing on the first cycle, and asks three things when idle", async () => {
    expect((await bench.cycle()).kind).toBe("idle");
    expect(bench.server.takeLines()).toEqual([
      "POST /director/ecus",
      "PUT /system_info",
      "PUT /core/installed",
      "PUT /system_info/network",
      "POST /system_info/config",
      "PUT /director/manifest",
      "GET /director/1.root.json",
      "GET /director/2.root.json",
      "GET /director/targets.json",
    ]);
    await bench.cycle();
    expect(bench.server.takeLines()).toEqual(IDLE);
    await bench.restart();
    await bench.cycle();
    expect(bench.server.takeLines()).toEqual(IDLE);
  });

  it("goes through image repository, download, events and a reporting manifest for an update, then is idle", async () => {
    await bench.cycle();
    bench.server.takeLines();
    offer(bench, "app_1.0", FIRMWARE);
    expect(await bench.cycle()).toEqual({ kind: "installed", filenames: ["app_1.0"] });
    expect(bench.server.takeLines()).toEqual([
      ...IDLE,
      "GET /repo/1.root.json",
      "GET /repo/2.root.json",
      "GET /repo/timestamp.json",
      "GET /repo/snapshot.json",
      "GET /repo/targets.json",
      "POST /events",
      "GET /repo/targets/app_1.0",
      "POST /events",
      "POST /events",
      "POST /events",
      "PUT /director/manifest",
    ]);
    expect((await bench.cycle()).kind).toBe("idle");
    expect(bench.server.takeLines()).toEqual(IDLE);
  });

  it("does not fetch snapshot and targets again when the stored ones are those named", async () => {
    offer(bench, "app_1.0", FIRMWARE);
    bench.server.answer("GET /repo/targets/app_1.0", 404, 3);
    expect(await bench.cycle()).toMatchObject({ kind: "failed", code: "DOWNLOAD_FAILED" });
    bench.server.takeLines();
    expect((await bench.cycle()).kind).toBe("installed");
    const lines = bench.server.takeLines();
    expect(lines).toContain("GET /repo/timestamp.json");
    expect(lines).not.toContain("GET /repo/snapshot.json");
    expect(lines).not.toContain("GET /repo/targets.json");
  });

  it("opens a new TLS connection for every request and never names itself in a header", async () => {
    await bench.cycle();
    const connections = bench.server.requests.map((request) => request.connection);
    expect(new Set(connections).size).toBe(connections.length);
    for (const { headers } of bench.server.requests) {
      expect(headers).not.toHaveProperty("authorization");
      expect(headers).not.toHaveProperty("accept-encoding");
    }
  });

  it("registers again when the set of ECUs changed, completely", async () => {
    await bench.cycle();
    bench.server.takeLines();
    await bench.restart({ secondaries: 2 });
    await bench.cycle();
    expect(bench.server.takeLines()[0]).toBe("POST /director/ecus");
    const [first, second] = bench.server.bodies("POST", "/director/ecus").map((body) => JSON.parse(body.toString()));
    expect(second.ecus).toHaveLength(3);
    expect(second.ecus.slice(0, 2)).toEqual(first.ecus);
    expect(second.primary_ecu_serial).toBe(second.ecus[0].ecu_serial);
  });
});

describe("what a device proves", () => {
  it("signs each ECU's report with that ECU's key, as registered in upper-case hex", async () => {
    offer(bench, "app_1.0", FIRMWARE, "all");
    await bench.cycle();
    const registration = JSON.parse(bench.server.bodies("POST", "/director/ecus")[0]?.toString() ?? "");
    const keys = new Map(
      registration.ecus.map((ecu: { ecu_serial: string }) => [ecu.ecu_serial, parseTufKey(at(ecu, "clientKey"))]),
    ) as ReadonlyMap<string, ReturnType<typeof parseTufKey>>;
    for (const key of keys.values()) expect(key.keyval.public).toMatch(/^[0-9A-F]{64}$/);
    const manifests = bench.manifests();
    for (const manifest of manifests) {
      expect(verifyManifest(manifest, keys, registration.primary_ecu_serial).kind).toBe("accepted");
    }
    expect(manifests.map((manifest) => manifest.ecus.map((ecu) => ecu.installedImage.filepath).sort())).toEqual([
      ["noimage", "unknown"],
      ["app_1.0", "app_1.0"],
    ]);
    expect(manifests.map((manifest) => manifest.ecus.map((ecu) => ecu.reportCounter).filter(Boolean))).toEqual([
      ["1"],
      ["2"],
    ]);
    expect(manifests[0]?.report.kind).toBe("absent");
    expect(manifests[1]?.report).toMatchObject({
      kind: "present",
      report: { correlationId: CORRELATION, result: { success: true, code: "OK" } },
    });
  });

  it("puts the very bytes on the disk of every ECU", async () => {
    offer(bench, "app_1.0", FIRMWARE, "all");
    await bench.cycle();
    for (const { serial } of bench.device.ecus) {
      expect(await readFile(join(bench.stateDir, "images", serial, "image"))).toEqual(FIRMWARE);
      expect(bench.device.store.state.installed[serial]?.sha256).toBe(sha256Hex(FIRMWARE));
    }
    expect(bench.server.bodies("GET", "/repo/targets/app_1.0")).toHaveLength(1);
  });

  it("tells every step of every ECU as an event with the correlation id", async () => {
    offer(bench, "app_1.0", FIRMWARE, "all");
    await bench.cycle();
    const events = bench.server.bodies("POST", "/events").flatMap((body) => JSON.parse(body.toString()));
    for (const { serial } of bench.device.ecus) {
      const own = events.filter((event) => event.event.ecu === serial);
      expect(own.map((event) => event.eventType.id)).toEqual([
        "EcuDownloadStarted",
        "EcuDownloadCompleted",
        "EcuInstallationStarted",
        "EcuInstallationCompleted",
      ]);
      expect(own.map((event) => event.event.success)).toEqual([undefined, true, undefined, true]);
      expect(new Set(own.map((event) => event.event.correlationId))).toEqual(new Set([CORRELATION]));
      for (const event of own) expect(event.deviceTime).toMatch(/^.{19}Z$/);
    }
    expect(new Set(events.map((event) => event.id)).size).toBe(events.length);
  });

  it("asks for names with odd characters by their percent-encoded bytes", async () => {
    offer(bench, "dir a/fw+1.bin", FIRMWARE);
    expect((await bench.cycle()).kind).toBe("installed");
    expect(bench.server.takeLines()).toContain("GET /repo/targets/dir%20a/fw%2B1.bin");
  });
});

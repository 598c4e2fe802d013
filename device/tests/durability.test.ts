import { type ChildProcess, spawn } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { QueuedEvent } from "#device/state.ts";
import { type Bench, offer, openBench, until } from "#device/tests/bench.ts";
import { isAppError } from "#lib/errors/app-error.ts";
import { CORRELATION } from "#tests/harness/uptane-repository.ts";

let bench: Bench;
const children: ChildProcess[] = [];

beforeEach(async () => {
  bench = await openBench({ secondaries: 1 });
});
afterEach(async () => {
  // A child that outlives a failed test would hold the whole run open.
  for (const child of children.splice(0)) child.kill("SIGKILL");
  await bench.close();
});

const eventsOf = (bodies: readonly Buffer[]): QueuedEvent[] => bodies.flatMap((body) => JSON.parse(body.toString()));
const sentEvents = () => eventsOf(bench.server.bodies("POST", "/events"));
const reports = () =>
  bench.manifests().flatMap((manifest) => (manifest.report.kind === "present" ? [manifest.report.report] : []));

describe("a report", () => {
  it("is sent again, unchanged, until a manifest is accepted, also after a restart, and then never again", async () => {
    offer(bench, "app_1.0", Buffer.from("one"));
    let manifests = 0;
    bench.server.answer("PUT /director/manifest", (res) => res.writeHead(manifests++ === 0 ? 200 : 400).end(), 3);
    await bench.cycle();
    await bench.restart();
    await bench.cycle();
    await bench.cycle();
    await bench.cycle();
    expect(reports()).toHaveLength(3);
    expect(new Set(reports().map((report) => JSON.stringify(report))).size).toBe(1);
    expect(bench.device.store.state.pendingReport).toBeNull();
  });

  it("goes out with a counter that no manifest before it had", async () => {
    bench.server.answer("PUT /director/manifest", 500, 3);
    await bench.cycle();
    await bench.restart();
    await bench.cycle();
    const counters = bench.manifests().map((manifest) => manifest.ecus.find((ecu) => ecu.reportCounter)?.reportCounter);
    expect(counters).toEqual(["1", "1", "1", "2"]);
  });
});

describe("events", () => {
  it("are sent again under the same ids until they are accepted, across restarts", async () => {
    offer(bench, "app_1.0", Buffer.from("one"));
    bench.server.answer("POST /events", 503, 12);
    expect((await bench.cycle()).kind).toBe("installed");
    const queued = bench.device.store.state.events.map((event) => event.id);
    expect(queued).toHaveLength(4);
    await bench.restart();
    await bench.cycle();
    const accepted = eventsOf(bench.server.bodies("POST", "/events").slice(-1));
    expect(accepted.map((event) => event.id)).toEqual(queued);
    expect(bench.device.store.state.events).toEqual([]);
  });

  it("are dropped on 404 and kept on any other refusal", async () => {
    offer(bench, "app_1.0", Buffer.from("one"));
    bench.server.answer("POST /events", 404, 1);
    bench.server.answer("POST /events", 400, 3);
    await bench.cycle();
    expect(bench.device.store.state.events.map((event) => event.eventType.id)).toEqual([
      "EcuDownloadCompleted",
      "EcuInstallationStarted",
      "EcuInstallationCompleted",
    ]);
  });

  it("are halved on 413 until they pass, and a single one that is too large is dropped", async () => {
    offer(bench, "app_1.0", Buffer.from("one"), "all");
    bench.server.answer("POST /events", 400, 6);
    await bench.cycle();
    const before = sentEvents().length;
    const queued = bench.device.store.state.events.length;
    expect(queued).toBe(8);
    let tooLarge = "";
    bench.server.answer(
      "POST /events",
      (res, request) => {
        const events = eventsOf([request.body]);
        if (events.length === 1) tooLarge = events[0]?.id ?? "";
        res.writeHead(413).end();
      },
      4,
    );
    await bench.cycle();
    expect(bench.device.store.state.events).toEqual([]);
    const passed = sentEvents().slice(before + 8 + 4 + 2 + 1);
    expect(passed).toHaveLength(queued - 1);
    expect(passed.map((event) => event.id)).not.toContain(tooLarge);
  });

  it("in endless number do not fill the disk", async () => {
    const { queueEvent } = await import("#device/events.ts");
    for (let index = 0; index < 1_100; index += 1) {
      queueEvent(bench.device, "EcuDownloadStarted", { ecu: String(index), correlationId: null });
    }
    expect(bench.device.store.state.events).toHaveLength(1_000);
    expect(bench.device.store.state.events.at(-1)?.event.ecu).toBe("1099");
  });
});

describe("the device's disk", () => {
  it("keeps keys, serials and installed images", async () => {
    offer(bench, "app_1.0", Buffer.from("one"));
    await bench.cycle();
    const serials = bench.device.ecus.map((ecu) => ecu.serial);
    const again = await bench.restart();
    expect(again.ecus.map((ecu) => ecu.serial)).toEqual(serials);
    await bench.cycle();
    expect(
      bench
        .manifests()
        .at(-1)
        ?.ecus.map((ecu) => ecu.installedImage.filepath)
        .sort(),
    ).toEqual(["app_1.0", "noimage"]);
  });

  it.each(["state.json", "ecu-keys.json"])("is not used when %s cannot be read", async (name) => {
    await writeFile(join(bench.stateDir, name), "{");
    await bench.device.store.readImageTargets();
    await expect(bench.restart()).rejects.toSatisfy((error) => isAppError(error, "start.failed"));
  });
});

// Each cut starts a process of its own, which takes seconds on a busy machine.
describe("a power cut in the middle of an installation", { timeout: 120_000 }, () => {
  it("after one of two ECUs loses no result: the second is done and both are reported", async () => {
    offer(bench, "app_1.0", Buffer.from("one"), "all");
    const child = runChild();
    const [primary, secondary] = bench.device.ecus;
    await until(() =>
      sentEvents().some(
        (event) => event.eventType.id === "EcuInstallationStarted" && event.event.ecu === secondary?.serial,
      ),
    );
    child.kill("SIGKILL");
    await exited(child);
    await bench.restart();
    expect(bench.device.store.state.installed[primary?.serial ?? ""]?.filename).toBe("app_1.0");
    expect(bench.device.store.state.installed[secondary?.serial ?? ""]).toBeUndefined();
    expect((await bench.cycle()).kind).toBe("installed");
    expect(reports()).toMatchObject([{ correlationId: CORRELATION, result: { success: true, code: "OK" } }]);
    expect(
      reports()[0]
        ?.items.map((item) => item.ecu)
        .sort(),
    ).toEqual([primary?.serial, secondary?.serial].sort());
    expect((await bench.cycle()).kind).toBe("idle");
  });

  it("at any moment leaves a disk that opens, and the update completes", async () => {
    offer(bench, "app_1.0", Buffer.alloc(2_000_000, 7), "all");
    for (const afterRequests of [3, 8, 12, 15, 17]) {
      const child = runChild(0.05);
      const seen = bench.server.requests.length;
      await until(() => bench.server.requests.length >= seen + afterRequests || reports().length > 0);
      child.kill("SIGKILL");
      await exited(child);
    }
    await bench.restart();
    await bench.cycle();
    await bench.cycle();
    expect(reports().at(-1)).toMatchObject({ result: { success: true } });
    expect(
      bench
        .manifests()
        .at(-1)
        ?.ecus.map((ecu) => ecu.installedImage.filepath),
    ).toEqual(["app_1.0", "app_1.0"]);
    const counters = bench
      .manifests()
      .map((manifest) => Number(manifest.ecus.find((ecu) => ecu.reportCounter)?.reportCounter));
    expect(new Set(counters).size).toBe(counters.length);
  });
});

/** The same disk and server in a process of its own, which can be killed. */
function runChild(installSeconds = 0.3): ChildProcess {
  const options = {
    files: bench.server.files,
    stateDir: bench.stateDir,
    hardwareId: "rpi4",
    secondaries: 1,
    installSeconds,
  };
  const script = join(import.meta.dirname, "child.ts");
  const child = spawn(process.execPath, [script, JSON.stringify(options)], { stdio: ["ignore", "inherit", "inherit"] });
  children.push(child);
  return child;
}

function exited(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => child.once("exit", () => resolve()));
}

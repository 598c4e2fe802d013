import { randomBytes } from "node:crypto";
import { readdir, readFile, writeFile } from "node:fs/promises";
import type { ServerResponse } from "node:http";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { makeFolder } from "#device/files.ts";
import { type Bench, offer, openBench } from "#device/tests/bench.ts";
import { CORRELATION, sha256Hex } from "#tests/harness/uptane-repository.ts";
import { sendImage } from "#tests/harness/uptane-server.ts";

const LINE = "GET /repo/targets/app_1.0";
const CONTENT = randomBytes(300_000);
let bench: Bench;

beforeEach(async () => {
  bench = await openBench();
  offer(bench, "app_1.0", CONTENT);
});
afterEach(() => bench.close());

const ranges = () =>
  bench.server.requests.filter(({ method, path }) => `${method} ${path}` === LINE).map(({ headers }) => headers.range);
const installed = () => readFile(join(bench.stateDir, "images", bench.device.primary.serial, "image"));

/** Announces the whole and breaks the connection after `bytes`. */
const cutAfter = (bytes: number) =>
  bench.server.answer(LINE, (res) => {
    res.writeHead(200, { "content-length": CONTENT.length });
    res.write(CONTENT.subarray(0, bytes), () => res.destroy());
  });

describe("a download", () => {
  it("that breaks off is resumed by Range and ends with the right bytes", async () => {
    cutAfter(100_000);
    expect((await bench.cycle()).kind).toBe("installed");
    const [first, second] = ranges();
    expect(first).toBeUndefined();
    expect(Number(/^bytes=(\d+)-$/.exec(second ?? "")?.[1])).toBeGreaterThan(0);
    expect((await installed()).equals(CONTENT)).toBe(true);
  });

  it("is resumed after a restart too", async () => {
    await makeFolder(join(bench.stateDir, "downloads"));
    const part = join(bench.stateDir, "downloads", `${sha256Hex(CONTENT).toUpperCase()}.part`);
    await writeFile(part, CONTENT.subarray(0, 250_000));
    await bench.restart();
    expect((await bench.cycle()).kind).toBe("installed");
    expect(ranges()).toEqual(["bytes=250000-"]);
    expect((await installed()).equals(CONTENT)).toBe(true);
  });

  it("starts from zero in the same attempt when the server answers a Range with 200", async () => {
    cutAfter(100_000);
    bench.server.answer(LINE, (res) => sendImage(res, CONTENT, undefined));
    expect((await bench.cycle()).kind).toBe("installed");
    expect(ranges()).toHaveLength(2);
    expect((await installed()).equals(CONTENT)).toBe(true);
  });

  it("refuses a 206 that begins elsewhere, and gets through on the next attempt", async () => {
    cutAfter(100_000);
    bench.server.answer(LINE, (res) => sendImage(res, CONTENT, "bytes=5-"));
    expect((await bench.cycle()).kind).toBe("installed");
    expect(ranges()).toHaveLength(3);
    expect(ranges()[2]).toBe(ranges()[1]);
    expect((await installed()).equals(CONTENT)).toBe(true);
  });

  it("whose content is corrupted is deleted and fetched anew", async () => {
    const corrupted = Buffer.from(CONTENT);
    corrupted[7] = (corrupted[7] ?? 0) ^ 1;
    bench.server.answer(LINE, (res) => sendImage(res, corrupted, undefined));
    expect((await bench.cycle()).kind).toBe("installed");
    expect(ranges()).toEqual([undefined, undefined]);
    expect((await installed()).equals(CONTENT)).toBe(true);
  });

  it("that stays corrupted is reported as DOWNLOAD_FAILED and leaves nothing behind", async () => {
    const corrupted = Buffer.from(CONTENT);
    corrupted[7] = (corrupted[7] ?? 0) ^ 1;
    bench.server.answer(LINE, (res) => sendImage(res, corrupted, undefined), 3);
    const outcome = await bench.cycle();
    expect(outcome).toMatchObject({ kind: "failed", code: "DOWNLOAD_FAILED", cause: { code: "uptane.hash_mismatch" } });
    expect(bench.manifests().at(-1)?.report).toMatchObject({
      report: { correlationId: CORRELATION, result: { success: false, code: "DOWNLOAD_FAILED" }, items: [] },
    });
    expect(await readdir(join(bench.stateDir, "downloads"))).toEqual([]);
    await expect(installed()).rejects.toMatchObject({ code: "ENOENT" });
  });

  it("longer than signed is cut off, and never installed", async () => {
    bench.server.answer(LINE, (res) => res.writeHead(200).end(Buffer.concat([CONTENT, CONTENT])), 3);
    const outcome = await bench.cycle();
    expect(outcome).toMatchObject({ kind: "failed", cause: { code: "uptane.length_mismatch" } });
    expect(bench.device.store.state.installed).toEqual({});
  });

  it("without end is broken off instead of filling the disk", async () => {
    const endless = (res: ServerResponse) => {
      const more = () => {
        if (!res.destroyed) res.write(CONTENT, more);
      };
      res.writeHead(200);
      more();
    };
    bench.server.answer(LINE, endless, 3);
    expect(await bench.cycle()).toMatchObject({ kind: "failed", cause: { code: "uptane.length_mismatch" } });
  });

  it("does not write error bodies into the file", async () => {
    bench.server.answer(LINE, (res) => res.writeHead(503).end("x".repeat(44)));
    expect((await bench.cycle()).kind).toBe("installed");
    expect(ranges()).toEqual([undefined, undefined]);
  });

  it("tells failure as an event, and a later assignment is a new chance", async () => {
    bench.server.answer(LINE, 404, 3);
    expect((await bench.cycle()).kind).toBe("failed");
    const events = bench.server.bodies("POST", "/events").flatMap((body) => JSON.parse(body.toString()));
    expect(events.map((event) => [event.eventType.id, event.event.success])).toEqual([
      ["EcuDownloadStarted", undefined],
      ["EcuDownloadCompleted", false],
    ]);
    expect((await bench.cycle()).kind).toBe("installed");
  });

  it("forgets the director's list once it reported a failure, so that an empty list then counts", async () => {
    bench.server.answer(LINE, 404, 3);
    await bench.cycle();
    bench.server.repository.assign(null);
    expect((await bench.cycle()).kind).toBe("idle");
    expect(bench.device.store.state.installed).toEqual({});
  });

  it("follows the director's own address, and redirects, with the same certificate", async () => {
    const { primary } = bench.device;
    bench.server.repository.assign({
      filename: "app_1.0",
      ecus: { [primary.serial]: primary.hardwareId },
      uri: `${bench.server.url}/elsewhere`,
    });
    bench.server.answer("GET /elsewhere", (res) => res.writeHead(302, { location: "/repo/targets/app_1.0" }).end());
    expect((await bench.cycle()).kind).toBe("installed");
    expect(bench.server.takeLines()).toContain(LINE);
  });
});

describe("an image that is not a plain file", () => {
  it("fails as a download when it is OSTree", async () => {
    bench.server.repository.publish("tree", { content: Buffer.alloc(0), hardwareIds: ["rpi4"] });
    bench.server.repository.assign({ filename: "tree", ecus: { [bench.device.primary.serial]: "rpi4" } });
    expect(await bench.cycle()).toMatchObject({ kind: "failed", code: "DOWNLOAD_FAILED" });
  });
});

describe("a device told to fail", () => {
  it.each([
    ["download", "DOWNLOAD_FAILED", "DOWNLOAD_FAILED"],
    ["verify", "VERIFICATION_FAILED", "VERIFICATION_FAILED"],
    ["install", "rpi4:INSTALL_FAILED", "rpi4:INSTALL_FAILED"],
  ] as const)("at %s reports it and keeps its image", async (fail, code, reported) => {
    await bench.restart({ fail });
    expect(await bench.cycle()).toMatchObject({ kind: "failed", code });
    expect(bench.manifests().at(-1)?.report).toMatchObject({ report: { result: { success: false, code: reported } } });
    expect(bench.device.store.state.installed).toEqual({});
  });
});

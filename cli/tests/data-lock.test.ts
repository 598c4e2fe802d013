import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, readFile, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type DataLock, lockFolder } from "#cli/start/data-lock.ts";

describe("the lock of a data folder", () => {
  let folder: string;
  let file: string;
  let held: DataLock[];

  beforeEach(async () => {
    folder = await mkdtemp(path.join(tmpdir(), "gatehouse-lock-"));
    file = path.join(folder, "gatehouse.lock");
    held = [];
  });
  afterEach(async () => {
    for (const lock of held) await lock.release();
    await rm(folder, { recursive: true });
  });

  it("is given to one at a time, again after release, and leaves nothing behind", async () => {
    const first = await lock();
    await expect(lock()).rejects.toMatchObject({ code: "start.failed", message: expect.stringContaining(folder) });
    await first.release();
    await (await lock()).release();
    expect(await readdir(folder)).toEqual([]);
  });

  it("is given to exactly one of many that come at once, also over an abandoned one", async () => {
    await writeFile(file, await holderThatEnded());
    const outcomes = await Promise.allSettled(Array.from({ length: 8 }, () => lock()));
    expect(outcomes.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
  });

  it("is taken over from a process that ended, and says so", async () => {
    await writeFile(file, await holderThatEnded());
    expect((await lock()).tookOver).toBe(true);
  });

  it("is taken over when another process has the holder's id by now", async () => {
    const holder = JSON.parse(await ownDescription()) as Record<string, unknown>;
    await writeFile(file, JSON.stringify({ ...holder, startedAt: "1" }));
    expect((await lock()).tookOver).toBe(true);
  });

  it("is taken over when its file was cut short", async () => {
    await writeFile(file, '{"pid":');
    expect((await lock()).tookOver).toBe(true);
  });

  it("is taken over from another container that renews it no more", async () => {
    await writeFile(file, JSON.stringify({ pid: process.pid, startedAt: "1", where: "elsewhere" }));
    const longAgo = new Date(Date.now() - 60_000);
    await utimes(file, longAgo, longAgo);
    expect((await lock()).tookOver).toBe(true);
  });

  it("stays with another container that renews it", async () => {
    await writeFile(file, JSON.stringify({ pid: process.pid, startedAt: "1", where: "elsewhere" }));
    const renewing = setInterval(() => void utimes(file, new Date(), new Date()), 500);
    try {
      await expect(lock()).rejects.toMatchObject({ code: "start.failed" });
    } finally {
      clearInterval(renewing);
    }
  });

  async function lock(): Promise<DataLock> {
    const got = await lockFolder(folder);
    held.push(got);
    return got;
  }

  async function ownDescription(): Promise<string> {
    const own = await lockFolder(folder);
    const text = await readFile(file, "utf8");
    await own.release();
    return text;
  }

  /** The description of a real process that is gone. */
  async function holderThatEnded(): Promise<string> {
    const script = `
      import { lockFolder } from "#cli/start/data-lock.ts";
      await lockFolder(${JSON.stringify(folder)});
      process.kill(process.pid, "SIGKILL");`;
    const holder = spawn(process.execPath, ["--input-type=module-typescript", "-e", script], { stdio: "inherit" });
    expect((await once(holder, "exit"))[1]).toBe("SIGKILL");
    const text = await readFile(file, "utf8");
    await rm(file);
    return text;
  }
});

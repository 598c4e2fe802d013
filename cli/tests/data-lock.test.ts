import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type DataLock, lockFolder } from "#cli/start/data-lock.ts";

describe("the lock of a data folder", () => {
  let folder: string;
  let held: DataLock[];

  beforeEach(async () => {
    folder = await mkdtemp(path.join(tmpdir(), "gatehouse-lock-"));
    held = [];
  });
  afterEach(async () => {
    for (const lock of held) await lock.release();
    await rm(folder, { recursive: true });
  });

  it("is given to one at a time, and again after release", async () => {
    const first = await lock();
    expect(first.tookOver).toBe(false);
    await expect(lock()).rejects.toMatchObject({
      code: "start.failed",
      message: expect.stringMatching(new RegExp(`${folder}.*process ${process.pid}`)),
    });
    await first.release();
    expect((await lock()).tookOver).toBe(false);
  });

  it("is not given while another process holds it, and is taken over when that one was killed", async () => {
    const other = await otherHolder();
    await expect(lock()).rejects.toMatchObject({ message: expect.stringContaining(`process ${other.pid}`) });
    await other.kill();
    expect((await lock()).tookOver).toBe(true);
  });

  it("is given to exactly one of many that come at once, also over an abandoned one", async () => {
    await (await otherHolder()).kill();
    const outcomes = await Promise.allSettled(Array.from({ length: 8 }, () => lock()));
    expect(outcomes.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
  });

  async function lock(): Promise<DataLock> {
    const got = await lockFolder(folder);
    held.push(got);
    return got;
  }

  /** A real process that holds the lock until it is killed. */
  async function otherHolder(): Promise<{ pid: number | undefined; kill(): Promise<void> }> {
    const script = `
      import { lockFolder } from "#cli/start/data-lock.ts";
      await lockFolder(${JSON.stringify(folder)});
      console.log("held");
      setInterval(() => undefined, 1_000);`;
    const holder = spawn(process.execPath, ["--input-type=module-typescript", "-e", script], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    await once(holder.stdout, "data");
    return {
      pid: holder.pid,
      async kill() {
        holder.kill("SIGKILL");
        await once(holder, "exit");
      },
    };
  }
});

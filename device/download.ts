import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { type FileHandle, open, rm, stat } from "node:fs/promises";
import type { IncomingMessage } from "node:http";
import { join } from "node:path";
import type { Device } from "#device/device.ts";
import { makeFolder, moveDurably } from "#device/files.ts";
import { pause } from "#device/pause.ts";
import { AppError, isAppError } from "#lib/errors/app-error.ts";
import type { MatchedTarget } from "#lib/uptane/assignment.ts";

/** Before the second and the third attempt, in parts of the device's retry delay (a second). */
const WAITS = [0.5, 1];

/**
 * Fetches a target to disk and proves its length and hash. A part that is there is resumed by Range, also after a restart;
 * what does not hash right is deleted. Three attempts, as the real client makes.
 *
 * @returns the path of the verified file
 * @throws AppError `uptane.hash_mismatch` | `uptane.length_mismatch` | `backend.refused` | `backend.unreachable` |
 *   `backend.timeout` | `uptane.target_mismatch` (OSTree, which this device cannot install)
 * @see contracts/aktualizr-client.md section 6
 */
export async function downloadTarget(device: Device, target: MatchedTarget): Promise<string> {
  if (target.format === "OSTREE") {
    throw new AppError("uptane.target_mismatch", "A simulated device cannot install OSTree images.");
  }
  if (device.fail === "download") {
    throw new AppError("backend.unreachable", "This device was told to fail its downloads.");
  }
  const folder = join(device.store.dir, "downloads");
  await makeFolder(folder);
  const complete = join(folder, target.sha256.toUpperCase());
  if ((await sizeOf(complete)) === target.length) return complete;
  for (let attempt = 0; ; attempt += 1) {
    try {
      await fetchRest(device, target, `${complete}.part`);
      await moveDurably(`${complete}.part`, complete);
      return complete;
    } catch (error) {
      const wait = WAITS[attempt];
      if (!isAppError(error) || wait === undefined) throw error;
      await pause(wait * device.retryDelayMs, device.signal);
    }
  }
}

/** The default address: every byte of the name that is neither unreserved nor a slash is percent-encoded. */
export function targetUrl(gatewayUrl: string, target: Pick<MatchedTarget, "filename" | "uri">): string {
  if (target.uri !== null) return target.uri;
  const path = Array.from(Buffer.from(target.filename, "utf8"), (byte) => {
    const character = String.fromCharCode(byte);
    if (/[A-Za-z0-9\-._~/]/.test(character)) return character;
    return `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
  }).join("");
  return `${gatewayUrl}/repo/targets/${path}`;
}

async function fetchRest(device: Device, target: MatchedTarget, part: string): Promise<void> {
  let have = await sizeOf(part);
  if (have > target.length) {
    await rm(part);
    have = 0;
  }
  // Nothing is asked for a file of length 0, or one that was complete when the device went down.
  if (have < target.length) {
    const range: Record<string, string> = have > 0 ? { range: `bytes=${have}-` } : {};
    const res = await device.http.open(targetUrl(device.http.gatewayUrl, target), range);
    await receive(device, { res, target, part, have });
  } else if (have === 0) await (await open(part, "w", 0o600)).close();
  await assertContent(part, target);
}

type Receipt = {
  readonly res: IncomingMessage;
  readonly target: MatchedTarget;
  readonly part: string;
  readonly have: number;
};

async function receive(device: Device, { res, target, part, have }: Receipt): Promise<void> {
  const status = res.statusCode ?? 0;
  const resumes = status === 206 && res.headers["content-range"]?.startsWith(`bytes ${have}-`) === true;
  if (!resumes && status !== 200) {
    res.destroy();
    throw new AppError("backend.refused", "The gateway did not serve the target.", { context: { status } });
  }
  const file = await open(part, resumes ? "a" : "w", 0o600);
  try {
    await append(device, { res, file, room: target.length - (resumes ? have : 0) });
    await file.sync();
  } finally {
    res.destroy();
    await file.close();
  }
}

async function append(
  device: Device,
  { res, file, room }: { readonly res: IncomingMessage; readonly file: FileHandle; readonly room: number },
): Promise<void> {
  let left = room;
  try {
    for await (const chunk of res) {
      const bytes = Buffer.from(chunk);
      left -= bytes.length;
      if (left < 0) break;
      await file.write(bytes);
    }
  } catch (cause) {
    device.signal.throwIfAborted();
    throw new AppError("backend.unreachable", "The download was cut.", { cause });
  }
  if (left < 0) {
    await file.truncate(0);
    throw new AppError("uptane.length_mismatch", "The target is longer than its signed length.");
  }
}

async function assertContent(part: string, target: MatchedTarget): Promise<void> {
  const size = await sizeOf(part);
  if (size < target.length) {
    throw new AppError("uptane.length_mismatch", "The download ended early.", { context: { size } });
  }
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(part)) hash.update(chunk);
  if (hash.digest("hex") === target.sha256) return;
  await rm(part);
  throw new AppError("uptane.hash_mismatch", "The target does not have its signed hash.", {
    context: { filename: target.filename },
  });
}

async function sizeOf(path: string): Promise<number> {
  try {
    return (await stat(path)).size;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return 0;
    throw error;
  }
}

import { randomBytes } from "node:crypto";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach } from "vitest";
import type { Ctx } from "#lib/ctx.ts";
import { createTestClock, createTestCtx } from "#tests/harness/ctx.ts";
import { createTestDatabase, type TestDatabase } from "#tests/harness/database.ts";
import { type Server, startServer } from "./harness.ts";

export const BYTES = randomBytes(400_000);
export const FUTURE = new Date(Date.now() + 86_400_000);
export const clock = createTestClock();

/** Two services processes of one install, new for each test. */
export let ctx: Ctx;
export let server: Server;
export let other: Server;

export function standForEachTest(): void {
  let database: TestDatabase;
  let second: Ctx;
  beforeEach(async () => {
    database = await createTestDatabase();
    ctx = createTestCtx(database.url, { clock });
    second = createTestCtx(database.url, { clock, like: ctx });
    [server, other] = await Promise.all([startServer(ctx), startServer(second)]);
  });
  afterEach(async () => {
    await Promise.all([server.app.close(), other.app.close()]);
    await Promise.all([ctx.db.$disconnect(), second.db.$disconnect()]);
    await database.drop();
  });
}

export const blobFolder = () => join(ctx.config.DATA_DIR, "blobs");
export const filesKept = () =>
  existsSync(blobFolder())
    ? readdirSync(blobFolder(), { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile()).length
    : 0;
export const targetsVersion = async (from: Server = server) =>
  (await (await from.call("/targets.json")).json()).signed.version;
export const codeOf = async (reply: Response) => [reply.status, (await reply.json()).code];

export function form(bytes: Uint8Array, field = "file"): FormData {
  const body = new FormData();
  body.append("note", "ignored");
  body.append(field, new Blob([Uint8Array.from(bytes)]), "whatever.bin");
  return body;
}

/** Claims that a device has an image assigned. */
export async function assign(filename: string): Promise<void> {
  await ctx.db.fleetDevice.create({
    data: {
      namespaceId: "default",
      uuid: crypto.randomUUID(),
      name: "d",
      deviceId: "d",
      status: "assigned",
      statusAt: new Date(),
      hardwareIds: ["rpi4"],
      installedFilenames: [],
      assignedFilenames: [filename],
    },
  });
}

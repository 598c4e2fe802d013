import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Ctx } from "#lib/ctx.ts";
import { signerFromPrivate } from "#lib/uptane/keys.ts";
import { signDocument } from "#lib/uptane/signatures.ts";
import { describeKeys, findRepo } from "#services/keyserver/service.ts";
import { createTestClock, createTestCtx } from "#tests/harness/ctx.ts";
import { createTestDatabase, type TestDatabase } from "#tests/harness/database.ts";
import { type Server, startServer, verifyAsDevice } from "./harness.ts";

const MINUTE_MS = 60_000;
const DAY_MS = 1_440 * MINUTE_MS;
const ROLES = ["targets", "snapshot", "timestamp"] as const;
type Role = (typeof ROLES)[number];

const clock = createTestClock(new Date("2026-03-01T10:00:00.750Z"));
let database: TestDatabase;
let ctx: Ctx;
let server: Server;

beforeAll(async () => {
  database = await createTestDatabase();
  ctx = createTestCtx(database.url, { clock });
  server = await startServer(ctx);
});

afterAll(async () => {
  await server.app.close();
  await ctx.db.$disconnect();
  await database.drop();
});

/** A repository of a namespace of its own, which every case begins with. */
class Repo {
  readonly namespace: string;

  constructor(namespace: string) {
    this.namespace = namespace;
  }

  call(path: string, init: RequestInit = {}): Promise<Response> {
    return server.call(path, { ...init, namespace: this.namespace });
  }

  send(method: string, path: string, body?: unknown): Promise<Response> {
    const json = { body: JSON.stringify(body), headers: { "content-type": "application/json" } };
    return this.call(path, { method, ...(body === undefined ? {} : json) });
  }

  async read(): Promise<{ versions: number[]; expires: string[] }> {
    const signed = [];
    for (const role of ROLES) signed.push((await (await this.call(`/${role}.json`)).json()).signed);
    return { versions: signed.map(({ version }) => version), expires: signed.map(({ expires }) => expires) };
  }

  async repoId(): Promise<string> {
    return (await findRepo(ctx.db, this.namespace, "image"))?.repoId ?? "";
  }

  /** Of the role so much is left. */
  async leave(role: Role, milliseconds: number): Promise<void> {
    const expiresAt = new Date(clock.now.getTime() + milliseconds);
    await ctx.db.imageRole.updateMany({ where: { repoId: await this.repoId(), role }, data: { expiresAt } });
  }

  async targetsKeyPath(): Promise<string> {
    const { roles } = await describeKeys(ctx, await this.repoId());
    return `/root/private_keys/${roles.find(({ role }) => role === "targets")?.keys[0]?.keyId}`;
  }

  async takeTargetsOffline(): Promise<void> {
    await this.send("DELETE", await this.targetsKeyPath());
  }

  /** The same list, signed elsewhere until then. */
  async pushTargets(expires: string): Promise<void> {
    const keyPath = await this.targetsKeyPath();
    const { keytype, keyval } = await (await this.call(keyPath)).json();
    await this.takeTargetsOffline();
    const current = await this.call("/targets.json");
    const { signed } = await current.json();
    const next = { ...signed, version: signed.version + 1, expires };
    const pushed = await this.call("/targets", {
      method: "PUT",
      body: Uint8Array.from(signDocument(next, [signerFromPrivate(keytype, keyval.private)]).bytes),
      headers: {
        "content-type": "application/json",
        "x-ats-role-checksum": current.headers.get("x-ats-role-checksum") ?? "",
      },
    });
    expect(pushed.status).toBe(204);
  }

  addImage(name: string): Promise<Response> {
    const image = { uri: "https://images.example/a", checksum: { method: "sha256", hash: "a".repeat(64) }, length: 1 };
    return this.send("POST", `/targets/${name}`, { ...image, hardwareIds: ["rpi4"], name, version: "1" });
  }
}

const inDays = (days: number) => `${new Date(clock.now.getTime() + days * DAY_MS).toISOString().slice(0, 19)}Z`;
/** What was signed when the case began. */
const OLD = "old";
const FAR = "2040-01-01T00:00:00Z";
const HOUR_LEFT = 60 * MINUTE_MS;

/** What happens; by how much each role's version rises; for how many days each is good then. */
type Case = readonly [
  event: string,
  act: (repo: Repo) => Promise<unknown>,
  raised: number[],
  days: (number | string)[],
];

const CASES: readonly Case[] = [
  ["nothing at all", async () => undefined, [0, 0, 0], [OLD, OLD, OLD]],
  ["a new image", (repo) => repo.addImage("app_2"), [1, 1, 1], [31, 31, 31]],
  ["a removed image", (repo) => repo.send("DELETE", "/targets/app_1"), [1, 1, 1], [31, 31, 31]],
  ["other hardware", (repo) => repo.send("PATCH", "/targets/app_1", { hardwareIds: ["x"] }), [1, 1, 1], [31, 31, 31]],
  ["rotated keys", (repo) => repo.send("PUT", "/root/rotate"), [1, 1, 1], [31, 31, 31]],
  ["targets that were signed elsewhere", (repo) => repo.pushTargets(inDays(90)), [1, 1, 1], [90, 90, 90]],
  ["an hour left of targets", (repo) => repo.leave("targets", HOUR_LEFT), [0, 0, 0], [OLD, OLD, OLD]],
  ["less left of targets", (repo) => repo.leave("targets", HOUR_LEFT - 1), [1, 1, 1], [30, 30, 1]],
  ["less left of the snapshot", (repo) => repo.leave("snapshot", HOUR_LEFT - 1), [0, 1, 1], [OLD, 30, 1]],
  ["less left of the timestamp", (repo) => repo.leave("timestamp", HOUR_LEFT - 1), [0, 0, 1], [OLD, OLD, 1]],
  [
    "an instant before which nothing ends",
    (repo) => repo.send("PUT", "/targets/expire/not-before", { expireAt: FAR }),
    [1, 1, 1],
    [FAR, FAR, FAR],
  ],
  [
    "an instant that is over sooner",
    (repo) => repo.send("PUT", "/targets/expire/not-before", { expireAt: inDays(2) }),
    [0, 0, 0],
    [OLD, OLD, OLD],
  ],
  [
    "such an instant, then less left of the timestamp",
    async (repo) => {
      await repo.send("PUT", "/targets/expire/not-before", { expireAt: inDays(2) });
      await repo.leave("timestamp", HOUR_LEFT - 1);
    },
    [0, 0, 1],
    [OLD, OLD, 2],
  ],
  [
    "less left of targets whose key is offline",
    async (repo) => {
      await repo.takeTargetsOffline();
      await repo.leave("targets", -DAY_MS);
    },
    [0, 0, 0],
    [OLD, OLD, OLD],
  ],
  [
    "less left of all, the targets key offline",
    async (repo) => {
      await repo.takeTargetsOffline();
      for (const role of ROLES) await repo.leave(role, -DAY_MS);
    },
    [0, 1, 1],
    [OLD, 30, 1],
  ],
];

describe("targets, snapshot and timestamp", () => {
  it("are version 1 for 31 days when first asked for, whichever it is", async () => {
    for (const role of ROLES) {
      const repo = new Repo(`first-${role}`);
      await repo.send("POST", "");
      expect((await repo.call(`/${role}.json`)).status).toBe(200);
      expect(await repo.read()).toEqual({ versions: [1, 1, 1], expires: Array(3).fill(inDays(31)) });
    }
  });

  it.each(CASES)("after %s have the version and the date of the contract", async (event, act, raised, days) => {
    const repo = new Repo(event.replaceAll(/\W+/g, "-"));
    await repo.send("POST", "");
    expect((await repo.addImage("app_1")).status).toBe(200);
    const before = await repo.read();
    clock.advance(MINUTE_MS);
    await act(repo);
    const after = await repo.read();
    expect(after.versions).toEqual(before.versions.map((version, index) => version + (raised[index] ?? 0)));
    const dates = days.map((one, index) =>
      typeof one === "number" ? inDays(one) : one === OLD ? before.expires[index] : one,
    );
    expect(after.expires).toEqual(dates);
    await verifyAsDevice({ ...server, call: (path: string) => repo.call(path) }, clock.now);
  });
});

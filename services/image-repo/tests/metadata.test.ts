import { beforeEach, describe, expect, it } from "vitest";
import type { Ctx } from "#lib/ctx.ts";
import { refreshImageRoles } from "#services/image-repo/service.ts";
import { refreshRoots } from "#services/keyserver/service.ts";
import { createTestClock, createTestCtx } from "#tests/harness/ctx.ts";
import { createTestDatabase, type TestDatabase } from "#tests/harness/database.ts";
import { bytesOf, type Server, sha256, startServer, upload, verifyAsDevice } from "./harness.ts";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const START = new Date("2026-03-01T10:00:00.750Z");
const ROLES = ["targets", "snapshot", "timestamp"] as const;

let database: TestDatabase;
let ctx: Ctx;
let second: Ctx;
let server: Server;
let other: Server;
const clock = createTestClock(START);

beforeEach(async () => {
  clock.now = START;
  database = await createTestDatabase();
  ctx = createTestCtx(database.url, { clock });
  second = createTestCtx(database.url, { clock, like: ctx });
  [server, other] = await Promise.all([startServer(ctx), startServer(second)]);
  return async () => {
    await Promise.all([server.app.close(), other.app.close()]);
    await Promise.all([ctx.db.$disconnect(), second.db.$disconnect()]);
    await database.drop();
  };
});

type Signed = {
  version: number;
  expires: string;
  meta?: Record<string, { length: number; version: number; hashes: { sha256: string } }>;
};
async function signedOf(from: Server, role: string): Promise<Signed> {
  return JSON.parse((await bytesOf(from.call(`/${role}.json`))).toString("utf8")).signed;
}
const expiries = async (from: Server) => Promise.all(ROLES.map(async (role) => (await signedOf(from, role)).expires));
const versions = async (from: Server) => Promise.all(ROLES.map(async (role) => (await signedOf(from, role)).version));
const daysFromNow = (days: number) => `${new Date(clock.now.getTime() + days * DAY_MS).toISOString().slice(0, 19)}Z`;

describe("metadata", () => {
  it("of a new repository is complete and passes every check of a device", async () => {
    const { targets, versions: all } = await verifyAsDevice(server, clock.now);
    expect([targets.signed.targets.size, all]).toEqual([0, [1, 1, 1]]);
  });

  it("has expiries of exactly 20 characters, 31 days after a change", async () => {
    await upload(server, "app_1", Buffer.from("one"));
    expect(await expiries(server)).toEqual(Array(3).fill("2026-04-01T10:00:00Z"));
  });

  it("raises all three versions by one with every change and names the exact bytes served", async () => {
    await upload(server, "app_1", Buffer.from("one"));
    const before = await versions(server);
    await upload(server, "app_2", Buffer.from("two"));
    expect(await versions(server)).toEqual(before.map((version) => version + 1));
    const targets = await bytesOf(server.call("/targets.json"));
    const snapshot = await bytesOf(server.call("/snapshot.json"));
    const root = await bytesOf(server.call("/root.json"));
    const named = (bytes: Buffer, version: number) => ({
      hashes: { sha256: sha256(bytes) },
      length: bytes.length,
      version,
    });
    expect((await signedOf(server, "snapshot")).meta).toEqual({
      "root.json": named(root, 1),
      "targets.json": named(targets, before[0] === undefined ? 0 : before[0] + 1),
    });
    expect((await signedOf(server, "timestamp")).meta).toEqual({
      "snapshot.json": named(snapshot, before[1] === undefined ? 0 : before[1] + 1),
    });
  });

  it("is served as the bytes that were signed, with their digest as role checksum and the repository's id", async () => {
    await upload(server, "app_1", Buffer.from("one"));
    const repo = await ctx.db.tufRepo.findFirstOrThrow();
    for (const role of ROLES) {
      const stored = await ctx.db.imageRole.findUniqueOrThrow({ where: { repoId_role: { repoId: repo.id, role } } });
      for (let again = 0; again < 2; again += 1) {
        const reply = await server.call(`/${role}.json`);
        expect(reply.headers.get("x-ats-role-checksum")).toBe(stored.checksum);
        expect(reply.headers.get("x-ats-tuf-repo-id")).toBe(repo.id);
        expect(reply.headers.get("content-type")).toContain("application/json");
        const bytes = await bytesOf(reply);
        expect([bytes.equals(Buffer.from(stored.bytes)), sha256(bytes)]).toEqual([true, stored.checksum]);
      }
    }
    const root = await server.call("/root.json");
    expect(root.headers.get("x-ats-role-checksum")).toBe(sha256(await bytesOf(root)));
  });

  it("is the same from two processes, at once after a change in either", async () => {
    for (let turn = 1; turn <= 6; turn += 1) {
      const [writer, reader] = turn % 2 === 0 ? [server, other] : [other, server];
      await verifyAsDevice(reader, clock.now);
      await upload(writer, `app_${turn}`, Buffer.from(`bytes ${turn}`));
      const { targets } = await verifyAsDevice(reader, clock.now);
      expect(targets.signed.targets.has(`app_${turn}`)).toBe(true);
    }
  });
});

describe("every root version", () => {
  it("stays for ever, and the next one is 404 root_role_not_found", async () => {
    await verifyAsDevice(server, clock.now);
    const first = await bytesOf(server.call("/1.root.json"));
    clock.advance(364 * DAY_MS + 23.5 * HOUR_MS);
    await server.call("/root.json");
    expect((await bytesOf(server.call("/1.root.json"))).equals(first)).toBe(true);
    expect((await server.call("/2.root.json")).status).toBe(200);
    for (const version of ["3", "99999999999999", "0"]) {
      const reply = await server.call(`/${version}.root.json`);
      expect([reply.status, (await reply.json()).code]).toEqual([404, "root_role_not_found"]);
      expect(reply.headers.get("x-ats-role-checksum")).toBeNull();
    }
    const { root } = await verifyAsDevice(server, clock.now);
    expect(root.signed.version).toBe(2);
  });

  it("that replaces another leaves the images trusted", async () => {
    await upload(server, "app_1", Buffer.from("one"));
    clock.advance(340 * DAY_MS);
    expect(await refreshRoots(ctx)).toBe(1);
    const { root, targets } = await verifyAsDevice(server, clock.now);
    expect([root.signed.version, targets.signed.targets.size]).toEqual([2, 1]);
  });
});

describe("renewal on reading", () => {
  it("leaves roles alone while an hour is left", async () => {
    await upload(server, "app_1", Buffer.from("one"));
    const before = await versions(server);
    clock.advance(31 * DAY_MS - HOUR_MS - 1_000);
    expect(await versions(server)).toEqual(before);
  });

  it("renews all three when targets run out: 30, 30 and 1 days", async () => {
    await upload(server, "app_1", Buffer.from("one"));
    const before = await versions(server);
    clock.advance(31 * DAY_MS - HOUR_MS + 1_000);
    expect(await versions(server)).toEqual(before.map((version) => version + 1));
    expect(await expiries(server)).toEqual([daysFromNow(30), daysFromNow(30), daysFromNow(1)]);
    await verifyAsDevice(server, clock.now);
  });

  it("then renews the timestamp alone, for one day", async () => {
    await upload(server, "app_1", Buffer.from("one"));
    clock.advance(31 * DAY_MS);
    const [targets = 0, snapshot = 0, timestamp = 0] = await versions(server);
    clock.advance(23.5 * HOUR_MS);
    expect(await versions(server)).toEqual([targets, snapshot, timestamp + 1]);
    expect((await expiries(server))[2]).toBe(daysFromNow(1));
    await verifyAsDevice(server, clock.now);
  });

  it("happens once, however many processes see it at once", async () => {
    await upload(server, "app_1", Buffer.from("one"));
    const [before = 0] = await versions(server);
    clock.advance(31 * DAY_MS);
    const readers = Array.from({ length: 12 }, (_, index) =>
      (index % 2 === 0 ? server : other).call("/timestamp.json"),
    );
    expect((await Promise.all(readers)).map(({ status }) => status)).toEqual(Array(12).fill(200));
    expect((await versions(server))[0]).toBe(before + 1);
  });

  it("comes back after a standstill of a year", async () => {
    await upload(server, "app_1", Buffer.from("one"));
    clock.advance(400 * DAY_MS);
    await server.call("/root.json");
    const { targets } = await verifyAsDevice(server, clock.now);
    expect(targets.signed.targets.has("app_1")).toBe(true);
  });
});

describe("renewal by the worker", () => {
  it("comes before reading would have to, and only when due", async () => {
    await upload(server, "app_1", Buffer.from("one"));
    expect(await refreshImageRoles(ctx)).toBe(0);
    clock.advance(29 * DAY_MS);
    expect(await refreshImageRoles(ctx)).toBe(1);
    expect(await refreshImageRoles(ctx)).toBe(0);
    expect(await expiries(server)).toEqual([daysFromNow(30), daysFromNow(30), daysFromNow(1)]);
    clock.advance(17 * HOUR_MS);
    expect(await refreshImageRoles(ctx)).toBe(1);
    await verifyAsDevice(server, clock.now);
  });

  it("lists the images of the namespace it renews, not of its own", async () => {
    await server.call("", { method: "POST", namespace: "east" });
    const names = new URLSearchParams({ name: "app", version: "1", hardwareIds: "rpi4" });
    const put = {
      method: "PUT",
      namespace: "east",
      body: "bytes",
      headers: { "content-type": "application/octet-stream" },
    };
    expect((await server.call(`/targets/east_1?${names}`, put)).status).toBe(204);
    clock.advance(29 * DAY_MS);
    expect(await refreshImageRoles(ctx)).toBe(1);
    const targets = await server.call("/targets.json", { namespace: "east" });
    expect(Object.keys((await targets.json()).signed.targets)).toEqual(["east_1"]);
  });
});

describe("a repository", () => {
  it("of the default namespace is made when first needed; another's by POST, once", async () => {
    expect((await server.call("/root.json")).status).toBe(200);
    expect((await server.call("", { method: "POST" })).status).toBe(409);
    const absent = await server.call("/root.json", { namespace: "west" });
    expect([absent.status, (await absent.json()).code]).toEqual([404, "no_repo_for_namespace"]);
    const made = await server.call("", { method: "POST", namespace: "west" });
    const repoId: unknown = await made.json();
    const root = await server.call("/root.json", { namespace: "west" });
    expect([made.status, root.headers.get("x-ats-tuf-repo-id")]).toEqual([200, repoId]);
    expect((await server.call("", { method: "POST", namespace: "west" })).status).toBe(409);
  });

  it("is made once by two processes asked at once", async () => {
    const asked = Array.from({ length: 8 }, (_, index) => (index % 2 === 0 ? server : other).call("/root.json"));
    const ids = (await Promise.all(asked)).map((reply) => reply.headers.get("x-ats-tuf-repo-id"));
    expect(new Set(ids).size).toBe(1);
    await verifyAsDevice(other, clock.now);
  });

  it("is also found by its id, which another namespace may not use", async () => {
    const repoId = (await server.call("/root.json")).headers.get("x-ats-tuf-repo-id");
    expect((await server.call(`/../repo/${repoId}/targets.json`)).status).toBe(200);
    await server.call("", { method: "POST", namespace: "west" });
    expect((await server.call(`/../repo/${repoId}/targets.json`, { namespace: "west" })).status).toBe(403);
  });
});

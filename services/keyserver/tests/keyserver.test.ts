import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Ctx } from "#lib/ctx.ts";
import { isAppError } from "#lib/errors/app-error.ts";
import { parseEnvelope } from "#lib/uptane/envelope.ts";
import { METADATA_LIMITS } from "#lib/uptane/limits.ts";
import { type VerifiedRoot, verifyInitialRoot, verifyNextRoot } from "#lib/uptane/verify.ts";
import { currentRoot, ensureRepo, findRepo, findRoot, refreshRoots, signRole } from "#services/keyserver/service.ts";
import { createTestClock, createTestCtx } from "#tests/harness/ctx.ts";
import { createTestDatabase, type TestDatabase } from "#tests/harness/database.ts";
import { releaseOnceWaiting } from "#tests/harness/held-lock.ts";

const DAY_MS = 86_400_000;
const START = new Date("2026-03-01T10:00:00.500Z");
const clock = createTestClock(START);
let database: TestDatabase;
let ctx: Ctx;
let second: Ctx;

beforeAll(async () => {
  database = await createTestDatabase();
  ctx = createTestCtx(database.url, { clock });
  second = createTestCtx(database.url, { clock, like: ctx });
});

afterAll(async () => {
  await Promise.all([ctx.db.$disconnect(), second.db.$disconnect()]);
  await database.drop();
});

let count = 0;
const inNamespace = (base: Ctx, namespaceId: string): Ctx => ({ ...base, namespaceId });
const fresh = () => inNamespace(ctx, `ns-${++count}`);
const codeOf = (error: unknown) => (isAppError(error) ? error.code : String(error));

async function rootAt(repoId: string, version: number): Promise<Buffer> {
  const bytes = await findRoot(ctx.db, repoId, version);
  if (bytes === null) throw new Error(`no root ${version}`);
  return bytes;
}

describe("a new repository", () => {
  it("has a root that signs itself and four keys of its own, threshold 1", async () => {
    const { repoId } = await ensureRepo(fresh(), "image");
    const { signed } = verifyInitialRoot(await rootAt(repoId, 1), 1);
    const ids = Object.values(signed.roles).flatMap(({ keyids }) => keyids);
    expect([ids.length, new Set(ids).size, signed.keys.size]).toEqual([4, 4, 4]);
    expect(Object.values(signed.roles).map(({ threshold }) => threshold)).toEqual([1, 1, 1, 1]);
  });

  it("dates its root with 20 characters, 365 days ahead", async () => {
    const { repoId } = await ensureRepo(fresh(), "image");
    const root = parseEnvelope(await rootAt(repoId, 1), METADATA_LIMITS.root).signed;
    expect(root.expires).toBe("2027-03-01T10:00:00Z");
    expect(root.consistent_snapshot).toBe(false);
  });

  it("is the same however often, and from however many processes at once, it is asked for", async () => {
    const namespaceId = fresh().namespaceId;
    const ask = () =>
      Promise.all([ctx, second, ctx, second].map((process) => ensureRepo(inNamespace(process, namespaceId), "image")));
    const lock = { name: `tuf-repo:${namespaceId}:image`, waiters: 4 };
    const ids = new Set((await releaseOnceWaiting(ctx.db, lock, ask)).map(({ repoId }) => repoId));
    expect(ids.size).toBe(1);
    const [repoId = ""] = ids;
    expect(await ctx.db.tufKey.count({ where: { repoId } })).toBe(4);
    expect(await ctx.db.tufRoot.count({ where: { repoId } })).toBe(1);
  });

  it("is another one for the director, and for another namespace", async () => {
    const here = fresh();
    const image = await ensureRepo(here, "image");
    const director = await ensureRepo(here, "director");
    const elsewhere = await ensureRepo(fresh(), "image");
    expect(new Set([image.repoId, director.repoId, elsewhere.repoId]).size).toBe(3);
    expect(await findRepo(ctx.db, "nowhere", "image")).toBeNull();
  });
});

describe("private keys", () => {
  it("are not readable in the database, and open with no other master key or row", async () => {
    const { repoId } = await ensureRepo(fresh(), "image");
    const stranger = createTestCtx(database.url, { clock });
    expect(await signRole(stranger, repoId, "root", {}).catch(codeOf)).toBe("keys.unsealable");
    await stranger.db.$disconnect();
    const [a, b] = await ctx.db.tufKey.findMany({ where: { repoId }, orderBy: { role: "asc" } });
    if (a?.sealedPrivate == null || b === undefined) throw new Error("no keys");
    expect(Buffer.from(a.sealedPrivate).toString("latin1")).not.toContain(a.publicValue);
    const sealed = a.sealedPrivate;
    expect(() => ctx.keys.open(sealed, `tuf-key:${repoId}:${b.role}:${b.keyId}`)).toThrow(/MASTER_KEY/);
  });
});

describe("signing", () => {
  it("signs targets as large as devices accept and nothing larger", async () => {
    const here = fresh();
    const { repoId } = await ensureRepo(here, "director");
    const { repoId: imageId } = await ensureRepo(here, "image");
    const big = { filler: "x".repeat(70_000) };
    expect(await signRole(here, repoId, "targets", big).catch(codeOf)).toBe("uptane.too_large");
    expect((await signRole(here, imageId, "targets", big)).length).toBeGreaterThan(70_000);
    expect(await signRole(here, imageId, "timestamp", big).catch(codeOf)).toBe("uptane.too_large");
  });

  it("needs no second connection inside a transaction once the repository is known", async () => {
    const narrow = createTestCtx(database.url, { clock, like: ctx, poolSize: 1 });
    const { repoId } = await ensureRepo(inNamespace(narrow, fresh().namespaceId), "image");
    const signed = await narrow.db.$transaction((tx) =>
      signRole({ keys: narrow.keys, db: tx }, repoId, "snapshot", { a: 1 }),
    );
    expect(signed.length).toBeGreaterThan(0);
    await narrow.db.$disconnect();
  });
});

describe("re-signing in time", () => {
  async function walk(repoId: string): Promise<VerifiedRoot> {
    let root = verifyInitialRoot(await rootAt(repoId, 1), 1);
    for (;;) {
      const next = await findRoot(ctx.db, repoId, root.signed.version + 1);
      if (next === null) return root;
      root = verifyNextRoot(root, next);
    }
  }

  it("leaves a root alone while an hour is left, then signs version + 1 once, from two processes at once", async () => {
    const here = fresh();
    clock.now = START;
    const { repoId } = await ensureRepo(here, "image");
    clock.advance(365 * DAY_MS - 3_600_000);
    expect((await currentRoot(here, repoId)).version).toBe(1);
    clock.advance(1);
    const ask = () =>
      Promise.all(
        [ctx, second, ctx, second].map((process) => currentRoot(inNamespace(process, here.namespaceId), repoId)),
      );
    const both = await releaseOnceWaiting(ctx.db, { name: `tuf-root:${repoId}`, waiters: 4 }, ask);
    expect(both.map(({ version }) => version)).toEqual([2, 2, 2, 2]);
    const root = await walk(repoId);
    expect([root.signed.version, root.signed.expires.getTime() > clock.now.getTime() + 364 * DAY_MS]).toEqual([
      2,
      true,
    ]);
  });

  it("keeps every version for ever and knows no version beyond the last", async () => {
    const here = fresh();
    clock.now = START;
    const { repoId } = await ensureRepo(here, "image");
    const first = await rootAt(repoId, 1);
    clock.advance(336 * DAY_MS);
    expect(await refreshRoots(here)).toBeGreaterThanOrEqual(1);
    expect(await refreshRoots(here)).toBe(0);
    expect((await rootAt(repoId, 1)).equals(first)).toBe(true);
    expect((await walk(repoId)).signed.version).toBe(2);
    for (const version of [0, -1, 3, 1.5, Number.NaN, 4_000_000_000]) {
      expect(await findRoot(ctx.db, repoId, version)).toBeNull();
    }
  });

  it("serves exactly the bytes that the checksum names", async () => {
    const here = fresh();
    clock.now = START;
    const { repoId } = await ensureRepo(here, "image");
    const root = await currentRoot(here, repoId);
    expect(parseEnvelope(root.bytes, METADATA_LIMITS.root).sha256).toBe(root.checksum);
    expect(root.bytes.equals(await rootAt(repoId, 1))).toBe(true);
  });
});

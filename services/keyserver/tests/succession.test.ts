import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Ctx } from "#lib/ctx.ts";
import { isAppError } from "#lib/errors/app-error.ts";
import { parseEnvelope } from "#lib/uptane/envelope.ts";
import { type Json, parseJsonBounded } from "#lib/uptane/json.ts";
import { signerFromPrivate } from "#lib/uptane/keys.ts";
import { METADATA_LIMITS } from "#lib/uptane/limits.ts";
import { signDocument } from "#lib/uptane/signatures.ts";
import { type VerifiedRoot, verifyInitialRoot, verifyNextRoot } from "#lib/uptane/verify.ts";
import * as keyserver from "#services/keyserver/service.ts";
import { createTestCtx } from "#tests/harness/ctx.ts";
import { createTestDatabase, type TestDatabase } from "#tests/harness/database.ts";

let database: TestDatabase;
let ctx: Ctx;
let second: Ctx;

beforeAll(async () => {
  database = await createTestDatabase();
  ctx = createTestCtx(database.url);
  second = createTestCtx(database.url, { like: ctx });
});

afterAll(async () => {
  await Promise.all([ctx.db.$disconnect(), second.db.$disconnect()]);
  await database.drop();
});

let count = 0;
async function freshRepo(): Promise<string> {
  return (await keyserver.ensureRepo({ ...ctx, namespaceId: `ns-${++count}` }, "image")).repoId;
}

async function walk(repoId: string): Promise<VerifiedRoot> {
  const first = await keyserver.findRoot(ctx.db, repoId, 1);
  let root = verifyInitialRoot(first ?? Buffer.alloc(0), 1);
  for (;;) {
    const next = await keyserver.findRoot(ctx.db, repoId, root.signed.version + 1);
    if (next === null) return root;
    root = verifyNextRoot(root, next);
  }
}

const codeOf = (error: unknown) => (isAppError(error) ? error.code : String(error));
const keysOf = async (repoId: string, role: string) =>
  (await keyserver.describeKeys(ctx, repoId)).roles.find((one) => one.role === role)?.keys ?? [];

describe("rotation", () => {
  it("replaces root and targets keys along a chain that devices follow, at once in every process", async () => {
    const repoId = await freshRepo();
    const before = await keyserver.describeKeys(ctx, repoId);
    await keyserver.signRole(second, repoId, "targets", {});
    await keyserver.rotateRoot(ctx, repoId);
    const after = await keyserver.describeKeys(ctx, repoId);
    const changed = after.roles.filter((role, index) => role.keys[0]?.keyId !== before.roles[index]?.keys[0]?.keyId);
    expect(changed.map(({ role }) => role)).toEqual(["root", "targets"]);
    const root = await walk(repoId);
    const signed = await keyserver.signRole(second, repoId, "targets", {});
    const [signature] = parseEnvelope(signed.bytes, METADATA_LIMITS.imageTargets).signatures;
    expect([root.signed.version, signature?.keyid]).toEqual([2, root.signed.roles.targets.keyids[0]]);
    expect(await ctx.db.tufKey.count({ where: { repoId, sealedPrivate: { not: null } } })).toBe(4);
  });
});

describe("a root signed elsewhere", () => {
  it("is put in force when old and new keys signed it, and refused with the state unchanged otherwise", async () => {
    const repoId = await freshRepo();
    const [rootKey] = await keysOf(repoId, "root");
    const pair = await keyserver.exportKey(ctx, repoId, rootKey?.keyId ?? "");
    const signer = signerFromPrivate(pair.keytype, pair.keyval.private);
    const unsigned = await keyserver.unsignedRoot(ctx, repoId);
    const push = (signed: Json, signers = [signer]) =>
      keyserver
        .pushRoot(ctx, repoId, parseJsonBounded(signDocument(signed, signers).bytes, METADATA_LIMITS.root))
        .catch(codeOf);
    expect(await push(unsigned, [])).toBe("ota.invalid_root_role");
    expect(await push({ ...unsigned, version: 3 })).toBe("ota.invalid_root_role");
    expect(await push({ ...unsigned, more: 1 })).toBe("ota.invalid_root_role");
    expect((await walk(repoId)).signed.version).toBe(1);
    expect(await push(unsigned)).toMatchObject({ version: 2 });
    expect((await walk(repoId)).signed.version).toBe(2);
  });
});

describe("an offline key", () => {
  it("can't be exported or sign any more, in no process, and stays listed", async () => {
    const repoId = await freshRepo();
    const [key] = await keysOf(repoId, "targets");
    const keyId = key?.keyId ?? "";
    expect(await keyserver.targetsKeyPairs(ctx, repoId)).toHaveLength(1);
    await keyserver.signRole(second, repoId, "targets", {});
    await keyserver.deletePrivateKey(ctx, repoId, keyId);
    expect(await keyserver.signRole(second, repoId, "targets", {}).catch(codeOf)).toBe("ota.role_key_not_found");
    expect(await keyserver.exportKey(ctx, repoId, keyId).catch(codeOf)).toBe("ota.keypair_not_found");
    expect(await keyserver.targetsKeyPairs(ctx, repoId)).toBeNull();
    expect(await keysOf(repoId, "targets")).toEqual([{ keyId, type: "ED25519", online: false }]);
  });
});

describe("the earliest expiry", () => {
  it("is kept by the root at once, and added roles come once", async () => {
    const repoId = await freshRepo();
    const instant = new Date("2040-01-01T00:00:00Z");
    expect(await keyserver.setExpireNotBefore(ctx, repoId, instant)).toMatchObject({ version: 2, expiresAt: instant });
    await keyserver.ensureRole(ctx, repoId, "offline-updates");
    expect(await keyserver.ensureRole(ctx, repoId, "offline-updates")).toMatchObject({ version: 3 });
    await keyserver.signRole(second, repoId, "offline-snapshot", {});
    expect((await walk(repoId)).signed.expires).toEqual(instant);
  });
});

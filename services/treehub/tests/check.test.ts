import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { CommitCheckReply } from "#lib/contracts/ota/treehub.ts";
import { pushRepository } from "#tests/garage-push/push.ts";
import { createTestCtx } from "#tests/harness/ctx.ts";
import { createTestDatabase, type TestDatabase } from "#tests/harness/database.ts";
import { createTestRepository, ostree, type TestRepository } from "#tests/harness/ostree.ts";
import { authorization, codeOf, type Hub, startHub } from "./harness.ts";

let database: TestDatabase;
let hub: Hub;
let repository: TestRepository;
let commit: string;

beforeAll(async () => {
  database = await createTestDatabase();
  hub = await startHub(createTestCtx(database.url));
  repository = createTestRepository();
  commit = repository.commit({ "opt/large": randomBytes(300_000), "opt/twin": "same", "etc/twin": "same" });
  await pushRepository({ repo: repository.path, baseUrl: `${hub.url}/api/v2`, headers: { authorization } });
});
afterAll(async () => {
  await hub.app.close();
  await hub.ctx.db.$disconnect();
  await database.drop();
});

const check = async () => CommitCheckReply.parse(await (await hub.call(`/gatehouse/commits/${commit}/check`)).json());

/** Type, and the checksums that `ostree ls` prints of one path: of its tree and metadata, or of its content. */
function checksumsOf(path: string): string[] {
  const line = ostree(`--repo=${repository.path}`, "ls", "-C", "-d", commit, path);
  return line.split(/\s+/).filter((word) => /^[0-9a-f]{64}$/.test(word));
}

async function replace(key: string, bytes: Buffer): Promise<void> {
  await (await hub.ctx.blobs.stage(new Blob([Uint8Array.from(bytes)]).stream(), { maxBytes: bytes.length })).keep(key);
}

describe("the check of a commit", () => {
  it("counts each object below it once, with its bytes", async () => {
    const objects = repository.objects();
    const count = (kind: string) => objects.filter((name) => name.endsWith(`.${kind}`)).length;
    const bytes = objects.reduce((sum, name) => sum + readFileSync(repository.pathOf(name)).length, 0);
    expect(await check()).toEqual({
      commit,
      objects: { commit: 1, dirtree: count("dirtree"), dirmeta: count("dirmeta"), filez: count("filez") },
      bytes,
      problem: null,
    });
  });

  it.each([
    ["commit", "", /^ostree\.commit_mismatch$/],
    ["dirtree", "/opt/", /^ostree\.dirtree_mismatch$/],
    ["dirmeta", "/", /^ostree\.dirmeta_mismatch$/],
    ["filez", "/opt/large", /^ostree\.file_(mismatch|malformed)$/],
  ])("finds one changed byte of a %s, and that it is gone", async (kind, path, code) => {
    const [tree, meta] = checksumsOf("/opt");
    const [file] = checksumsOf("/opt/large");
    const name = `${{ commit, dirtree: tree, dirmeta: meta, filez: file }[kind]}.${kind}`;
    const right = readFileSync(repository.pathOf(name));
    const wrong = Buffer.from(right);
    wrong.writeUInt8(wrong.readUInt8(wrong.length >> 1) ^ 1, wrong.length >> 1);
    const { blobKey } = await hub.ctx.db.treehubObject.findFirstOrThrow({ where: { name } });
    await replace(blobKey, wrong);
    expect((await check()).problem).toMatchObject({ object: name, path, code: expect.stringMatching(code) });
    await hub.ctx.blobs.remove(blobKey);
    expect((await check()).problem).toMatchObject({ object: name, path, code: "ota.object_missing" });
    await replace(blobKey, right);
    expect((await check()).problem).toBeNull();
  });

  it("finds an object that is not listed, though its bytes are there", async () => {
    const [file] = checksumsOf("/opt/large");
    const where = { namespaceId_name: { namespaceId: "default", name: `${file}.filez` } };
    const row = await hub.ctx.db.treehubObject.delete({ where });
    expect((await check()).problem).toMatchObject({ path: "/opt/large", code: "ota.object_missing" });
    await hub.ctx.db.treehubObject.create({ data: row });
  });

  it("finds nothing of another namespace, and no commit that is none", async () => {
    const reply = await hub.call(`/gatehouse/commits/${commit}/check`, { namespace: "west" });
    expect((await reply.json()).problem).toMatchObject({ object: `${commit}.commit`, code: "ota.object_missing" });
    expect(await codeOf(hub.call("/gatehouse/commits/abc/check"))).toEqual([400, "invalid_entity"]);
  });
});

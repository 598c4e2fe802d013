import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { CommitCheckReply } from "#lib/contracts/ota/treehub.ts";
import { pushRepository } from "#tests/garage-push/push.ts";
import { createTestCtx } from "#tests/harness/ctx.ts";
import { createTestDatabase, type TestDatabase } from "#tests/harness/database.ts";
import { createTestRepository, ostree, type TestRepository } from "#tests/harness/ostree.ts";
import { authorization, type Hub, startHub } from "./harness.ts";

const run = promisify(execFile);
let database: TestDatabase;
let hub: Hub;
let repository: TestRepository;
let commit: string;

beforeAll(async () => {
  database = await createTestDatabase();
  hub = await startHub(createTestCtx(database.url));
  repository = createTestRepository();
  const files = Array.from({ length: 150 }, (_, index) => [`opt/${index % 9}/file-${index}`, randomBytes(index * 40)]);
  commit = repository.commit({ ...Object.fromEntries(files), "opt/large": randomBytes(12_000_000) });
});
afterAll(async () => {
  await hub.app.close();
  await hub.ctx.db.$disconnect();
  await database.drop();
});

const push = () => pushRepository({ repo: repository.path, baseUrl: `${hub.url}/api/v3/`, headers: { authorization } });

/** Pulls into a new repository, as a device would. @returns its folder */
async function pull(what: string): Promise<string> {
  const repo = join(mkdtempSync(join(tmpdir(), "gatehouse-pull-")), "repo");
  ostree(`--repo=${repo}`, "init", "--mode=archive");
  ostree(`--repo=${repo}`, "config", "set", "core.fsync", "false");
  ostree(`--repo=${repo}`, "remote", "add", "--no-gpg-verify", "hub", `${hub.url}/api/v2`);
  await run("ostree", [`--repo=${repo}`, "pull", `--http-header=Authorization=${authorization}`, "hub", what]);
  return repo;
}

const check = async () => CommitCheckReply.parse(await (await hub.call(`/gatehouse/commits/${commit}/check`)).json());
const keyOf = async (name: string) =>
  (await hub.ctx.db.treehubObject.findFirstOrThrow({ where: { name }, select: { blobKey: true } })).blobKey;
const bytesUnder = async (key: string) => {
  const opened = await hub.ctx.blobs.open(key);
  if (opened === null) throw new Error("no bytes");
  return Buffer.concat(await opened.stream.toArray());
};
const replace = async (key: string, bytes: Buffer) =>
  (await hub.ctx.blobs.stage([bytes].values() as never, { maxBytes: bytes.length })).keep(key);

describe("a repository pushed as garage-push does", () => {
  it("is pulled whole by ostree, by commit and by ref, and a second push finds all there", async () => {
    const total = repository.objects().length;
    expect(total).toBeGreaterThan(150);
    expect(await push()).toEqual({ commit, uploaded: total, present: 0, refusedAsPresent: 0 });
    expect(await push()).toEqual({ commit, uploaded: 0, present: 1, refusedAsPresent: 0 });
    for (const what of [commit, "master"]) {
      const pulled = await pull(what);
      expect((await run("ostree", [`--repo=${pulled}`, "fsck"])).stdout).toContain(
        "object fsck of 1 commits completed successfully",
      );
    }
    const read = await hub.call("/refs/heads/master");
    expect(await read.text()).toBe(commit);
  });

  it("pushed by two at once is whole, and nothing is made twice", async () => {
    const newer = repository.commit({ "etc/version": randomBytes(100) });
    const [left, right] = await Promise.all([push(), push()]);
    const made = (left?.uploaded ?? 0) + (right?.uploaded ?? 0);
    expect(await hub.ctx.db.treehubObject.count()).toBe(repository.objects().length);
    expect(made).toBeGreaterThanOrEqual(4);
    await pull(newer);
    commit = newer;
  });

  it("checks as right, each object once", async () => {
    const found = await check();
    expect(found.problem).toBeNull();
    const tree = repository.objects().length - found.objects.commit - found.objects.dirmeta - found.objects.filez;
    expect(found.objects.commit).toBe(1);
    expect(tree).toBeGreaterThan(found.objects.dirtree - 1);
    expect(found.objects.filez).toBeGreaterThan(150);
    expect(found.bytes).toBeGreaterThan(12_000_000);
  });

  it.each(["commit", "dirtree", "dirmeta", "filez"])(
    "with one byte of a %s changed in storage is found out",
    async (kind) => {
      const below = ostree(`--repo=${repository.path}`, "ls", "-C", "-d", commit, "/opt").split(/\s+/);
      const root = { commit, dirtree: below[4], dirmeta: below[5] };
      const file = ostree(`--repo=${repository.path}`, "ls", "-C", commit, "/opt/large").split(/\s+/)[4];
      const name = kind === "filez" ? `${file}.filez` : `${root[kind as "commit" | "dirtree" | "dirmeta"]}.${kind}`;
      const key = await keyOf(name);
      const right = await bytesUnder(key);
      expect(right.equals(readFileSync(repository.pathOf(name)))).toBe(true);
      const wrong = Buffer.from(right);
      wrong.writeUInt8(wrong.readUInt8(wrong.length >> 1) ^ 1, wrong.length >> 1);
      await replace(key, wrong);
      const code = kind === "filez" ? /^ostree\.file_(mismatch|malformed)$/ : new RegExp(`^ostree\\.${kind}_mismatch$`);
      expect((await check()).problem).toEqual(
        expect.objectContaining({ object: name, code: expect.stringMatching(code) }),
      );
      await hub.ctx.blobs.remove(key);
      expect((await check()).problem).toEqual(expect.objectContaining({ object: name, code: "ota.object_missing" }));
      await replace(key, right);
      expect((await check()).problem).toBeNull();
    },
  );

  it("of another namespace is missing here", async () => {
    const reply = await hub.call(`/gatehouse/commits/${commit}/check`, { namespace: "west" });
    expect((await reply.json()).problem.code).toBe("ota.object_missing");
  });
});

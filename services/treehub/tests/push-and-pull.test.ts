import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createS3Blobs } from "#lib/blobs/s3.ts";
import { pushRepository } from "#tests/garage-push/push.ts";
import { createTestCtx } from "#tests/harness/ctx.ts";
import { createTestDatabase, type TestDatabase } from "#tests/harness/database.ts";
import { createTestRepository, ostree, type TestRepository } from "#tests/harness/ostree.ts";
import { startTestStorage, type TestStorage } from "#tests/harness/s3.ts";
import { authorization, type Hub, startHub } from "./harness.ts";

const run = promisify(execFile);
const WITHIN_MS = 60_000;

describe.each(["a folder", "S3-compatible storage"])("a repository pushed as garage-push does, kept in %s", (kept) => {
  let database: TestDatabase;
  let storage: TestStorage;
  let blobs: ReturnType<typeof createS3Blobs>;
  let hub: Hub;
  let repository: TestRepository;

  beforeAll(async () => {
    database = await createTestDatabase();
    storage = await startTestStorage();
    blobs = createS3Blobs(storage.place);
    hub = await startHub(createTestCtx(database.url), kept === "a folder" ? undefined : blobs);
    repository = createTestRepository();
  });
  afterAll(async () => {
    await hub.app.close();
    await hub.ctx.db.$disconnect();
    blobs.close();
    await Promise.all([storage.close(), database.drop()]);
  });

  const push = () =>
    pushRepository({ repo: repository.path, baseUrl: `${hub.url}/api/v3/`, headers: { authorization } });

  /** Pulls a branch or commit into a new repository, as a device would, and has ostree check every object of it. */
  async function pullWhole(what: string): Promise<void> {
    const repo = join(mkdtempSync(join(tmpdir(), "gatehouse-pull-")), "repo");
    ostree(`--repo=${repo}`, "init", "--mode=archive");
    ostree(`--repo=${repo}`, "config", "set", "core.fsync", "false");
    ostree(`--repo=${repo}`, "remote", "add", "--no-gpg-verify", "hub", `${hub.url}/api/v2`);
    await run("ostree", [`--repo=${repo}`, "pull", `--http-header=Authorization=${authorization}`, "hub", what]);
    await run("ostree", [`--repo=${repo}`, "fsck"]);
  }

  it("is pulled whole by ostree, and a second push finds all there", { timeout: WITHIN_MS }, async () => {
    const small = Array.from({ length: 170 }, (_, index) => [
      `opt/${index % 9}/file-${index}`,
      randomBytes(index * 40),
    ]);
    // More than object storage takes in one part.
    const commit = repository.commit({ ...Object.fromEntries(small), "opt/large": randomBytes(6_500_000) });
    const total = repository.objects().length;
    expect(total).toBeGreaterThan(190);
    expect(await push()).toEqual({ commit, uploaded: total, present: 0, refusedAsPresent: 0 });
    expect(await push()).toEqual({ commit, uploaded: 0, present: 1, refusedAsPresent: 0 });
    await pullWhole(commit);
    expect(await (await hub.call("/refs/heads/master")).text()).toBe(commit);
  });

  it("by two at once is whole, and nothing is made twice", { timeout: WITHIN_MS }, async () => {
    const before = await hub.ctx.db.treehubObject.count();
    repository.commit({ "etc/version": randomBytes(100) });
    const pushes = await Promise.all([push(), push()]);
    const after = await hub.ctx.db.treehubObject.count();
    expect(after).toBe(repository.objects().length);
    expect(pushes.reduce((sum, { uploaded }) => sum + uploaded, 0)).toBe(after - before);
    await pullWhole("master");
  });
});

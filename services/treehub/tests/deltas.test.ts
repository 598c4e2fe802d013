import { execFile } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { formatDeltaId } from "#lib/ostree/deltas.ts";
import { sweepTreehub } from "#services/treehub/service.ts";
import { pushRepository } from "#tests/garage-push/push.ts";
import { createTestCtx } from "#tests/harness/ctx.ts";
import { createTestDatabase, type TestDatabase } from "#tests/harness/database.ts";
import { createTestRepository, ostree, type TestRepository } from "#tests/harness/ostree.ts";
import { authorization, codeOf, type Hub, startHub } from "./harness.ts";

const run = promisify(execFile);
let database: TestDatabase;
let hub: Hub;
let repository: TestRepository;
let one: string;
let two: string;
let three: string;

beforeAll(async () => {
  database = await createTestDatabase();
  hub = await startHub(createTestCtx(database.url));
  repository = createTestRepository();
  one = repository.commit({ "etc/version": "1", "usr/lib/random": randomBytes(200_000) });
  two = repository.commit({ "etc/version": "2" });
  three = repository.commit({ "etc/version": "3" });
  for (const from of [one, two]) {
    ostree(
      `--repo=${repository.path}`,
      "static-delta",
      "generate",
      "--min-fallback-size=0",
      `--from=${from}`,
      `--to=${three}`,
    );
  }
});
afterAll(async () => {
  await hub.app.close();
  await hub.ctx.db.$disconnect();
  await database.drop();
});

const pathOf = (from: string, to: string) => {
  const id = formatDeltaId({ from, to });
  return `deltas/${id.slice(0, 2)}/${id.slice(2)}`;
};
const fileOf = (from: string, file: string) =>
  Uint8Array.from(readFileSync(join(repository.path, pathOf(from, three), file)));
const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

function postFile(from: string, file: string, superblock = sha256(fileOf(from, "superblock"))): Promise<Response> {
  return hub.call(`/${pathOf(from, three)}/${file}`, {
    method: "POST",
    body: fileOf(from, file),
    headers: { "x-trx-superblock-hash": superblock, "content-type": "application/octet-stream" },
  });
}

const indexOf = (to: string) => {
  const half = formatDeltaId({ from: to, to }).slice(0, 43);
  return hub.call(`/delta-indexes/${half.slice(0, 2)}/${half.slice(2)}.index`);
};

describe("a static delta", () => {
  it("lies where ostree looks for it", () => {
    const [folder = ""] = readdirSync(join(repository.path, "deltas"));
    expect([pathOf(one, three), pathOf(two, three)].map((path) => path.slice("deltas/".length, 9))).toContain(folder);
  });

  it("can be had once its superblock is here, and not before", async () => {
    const parts = readdirSync(join(repository.path, pathOf(one, three))).filter((file) => file !== "superblock");
    expect(parts.length).toBeGreaterThan(0);
    expect(await codeOf(hub.call(`/${pathOf(one, three)}/superblock`))).toEqual([404, "delta_missing"]);
    for (const part of parts) expect((await postFile(one, part)).status).toBe(200);
    expect(await codeOf(hub.call(`/${pathOf(one, three)}/0`))).toEqual([449, "static_delta_not_uploaded"]);
    expect((await indexOf(three)).status).toBe(404);
    expect((await postFile(one, "superblock")).status).toBe(200);
    for (const file of ["superblock", ...parts]) {
      const read = await hub.call(`/${pathOf(one, three)}/${file}`);
      expect(Buffer.from(await read.arrayBuffer()).equals(fileOf(one, file))).toBe(true);
    }
    expect(await codeOf(hub.call(`/${pathOf(one, three)}/99`))).toEqual([404, "delta_missing"]);
    expect((await hub.call(`/${pathOf(one, three)}/superblock`, { namespace: "west" })).status).toBe(404);
  });

  it("is refused with another superblock than announced, with none, and under a name that is none", async () => {
    expect(await codeOf(postFile(one, "0", "0".repeat(64)))).toEqual([409, "static_delta_exists"]);
    expect(await codeOf(postFile(two, "superblock", "0".repeat(64)))).toEqual([400, "invalid_entity"]);
    const init = { method: "POST", body: "x" };
    expect(await codeOf(hub.call(`/${pathOf(two, three)}/0`, init))).toEqual([400, "missing_superblock_hash"]);
    const named = { ...init, headers: { "x-trx-superblock-hash": "0".repeat(64) } };
    expect(await codeOf(hub.call(`/${pathOf(two, three)}/other`, named))).toEqual([400, "invalid_entity"]);
    const half = pathOf(two, three).split("-")[0];
    expect(await codeOf(hub.call(`/${half}/0`, named))).toEqual([400, "invalid_entity"]);
    expect(await codeOf(hub.call(`/${half}/superblock`))).toEqual([404, "delta_missing"]);
    expect(await hub.ctx.db.treehubDelta.count()).toBe(1);
  });

  it("is in the index as ostree itself writes it", async () => {
    for (const file of readdirSync(join(repository.path, pathOf(two, three)))) await postFile(two, file);
    ostree(`--repo=${repository.path}`, "static-delta", "reindex", `--to=${three}`);
    const [folder = ""] = readdirSync(join(repository.path, "delta-indexes"));
    const [file = ""] = readdirSync(join(repository.path, "delta-indexes", folder));
    const theirs = readFileSync(join(repository.path, "delta-indexes", folder, file));
    const ours = Buffer.from(await (await indexOf(three)).arrayBuffer());
    expect(ours.length).toBe(theirs.length);
    for (const from of [one, two]) expect(ours.includes(`${from}-${three}`)).toBe(true);
    // Their order is that of a hash table; ours is that of the ids.
    if (theirs.indexOf(one) < theirs.indexOf(two) === ours.indexOf(one) < ours.indexOf(two)) {
      expect(ours.toString("hex")).toBe(theirs.toString("hex"));
    }
    expect(await codeOf(indexOf(one))).toEqual([404, "delta_missing"]);
    expect((await hub.call("/delta-indexes/ab/cd.index")).status).toBe(404);
  });

  it("is what ostree takes to get from one commit to the next", async () => {
    // It may ask for a directory before it has opened the delta that brings it, so the objects must be there too.
    const headers = { authorization };
    await pushRepository({ repo: repository.path, baseUrl: `${hub.url}/api/v3`, headers });
    const device = join(mkdtempSync(join(tmpdir(), "gatehouse-pull-")), "repo");
    ostree(`--repo=${device}`, "init", "--mode=bare-user");
    ostree(`--repo=${device}`, "pull-local", repository.path, one);
    ostree(`--repo=${device}`, "remote", "add", "--no-gpg-verify", "hub", `${hub.url}/api/v2`);
    const header = `--http-header=Authorization=${authorization}`;
    const { stdout, stderr } = await run("ostree", [`--repo=${device}`, "--verbose", "pull", header, "hub", three]);
    expect(stdout + stderr).toMatch(/execute static delta part \w+ complete/);
    await run("ostree", [`--repo=${device}`, "fsck"]);
    expect(ostree(`--repo=${device}`, "cat", three, "/etc/version")).toBe("3");
  });

  it("is found by its ends, in the list, and by its commits", async () => {
    const found = await hub.call(`/deltas?from=${one}&to=${three}`);
    expect([found.status, found.headers.get("location")]).toEqual([302, `/${pathOf(one, three)}`]);
    expect(await codeOf(hub.call(`/deltas?from=${three}&to=${one}`))).toEqual([404, "delta_missing"]);
    expect(await codeOf(hub.call("/deltas?from=x&to=y"))).toEqual([400, "invalid_entity"]);
    const size = (from: string) =>
      readdirSync(join(repository.path, pathOf(from, three))).reduce((sum, file) => sum + fileOf(from, file).length, 0);
    const list = await hub.call("/deltas?offset=0&limit=10");
    expect(list.headers.get("content-type")).toMatch(/^text\/plain/);
    const { values, ...page } = await list.json();
    expect(page).toEqual({ total: 2, offset: 0, limit: 10 });
    expect(values).toEqual(expect.arrayContaining([{ from: one, to: three, size: size(one) }]));
    const asked = await hub.call("/deltas", {
      method: "POST",
      body: JSON.stringify({ commits: [one, "0".repeat(64)] }),
      headers: { "content-type": "application/json" },
    });
    expect(await asked.json()).toEqual({ [one]: { from: [], to: [{ commit: three, size: size(one) }] } });
  });

  it("that is deleted is gone at once, its files after the sweep, and may come again", async () => {
    const usage = async () => (await (await hub.call("/gatehouse/usage")).json()).deltaFiles;
    const before = await usage();
    const files = readdirSync(join(repository.path, pathOf(one, three)));
    expect((await hub.call(`/${pathOf(one, three)}`, { method: "DELETE" })).status).toBe(202);
    expect(await codeOf(hub.call(`/${pathOf(one, three)}`, { method: "DELETE" }))).toEqual([404, "delta_missing"]);
    expect(await codeOf(hub.call(`/${pathOf(one, three)}/superblock`))).toEqual([404, "delta_missing"]);
    expect(await sweepTreehub(hub.ctx, new Date(0))).toBe(files.length);
    expect(await usage()).toBe(before - files.length);
    for (const file of files) expect((await postFile(one, file)).status).toBe(200);
    expect((await hub.call(`/${pathOf(one, three)}/superblock`)).status).toBe(200);
  });
});

import { randomBytes } from "node:crypto";
import { mkdirSync, readdirSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { findObjectName } from "#lib/ostree/names.ts";
import { objectKey } from "#services/treehub/objects.ts";
import { sweepTreehub } from "#services/treehub/service.ts";
import { createTestCtx } from "#tests/harness/ctx.ts";
import { createTestDatabase, type TestDatabase } from "#tests/harness/database.ts";
import { eventually } from "#tests/harness/eventually.ts";
import { createTestRepository, ostree, type TestRepository } from "#tests/harness/ostree.ts";
import { addressOf, authorization, bytesOf, codeOf, type Hub, post, startHub } from "./harness.ts";

let database: TestDatabase;
let hub: Hub;
let other: Hub;
let repository: TestRepository;
let commits: string[];

beforeAll(async () => {
  database = await createTestDatabase();
  const ctx = createTestCtx(database.url);
  hub = await startHub(ctx);
  other = await startHub(createTestCtx(database.url, { like: ctx }));
  repository = createTestRepository();
  commits = [
    repository.commit({ "etc/version": "1", "usr/lib/random": randomBytes(400_000) }),
    repository.commit({ "etc/version": "2" }),
    repository.commit({ "etc/version": "3" }),
  ];
});
afterAll(async () => {
  for (const { app, ctx } of [hub, other]) {
    await app.close();
    await ctx.db.$disconnect();
  }
  await database.drop();
});

const objectsOf = (kind: string) => repository.objects().filter((name) => name.endsWith(`.${kind}`));
const first = (kind: string) => objectsOf(kind)[0] ?? "";
const head = async (object: string, namespace?: string) =>
  (await hub.call(addressOf(object), { method: "HEAD", ...(namespace === undefined ? {} : { namespace }) })).status;
const largest = () => {
  const [name = ""] = objectsOf("filez").sort((a, b) => bytesOf(repository, b).length - bytesOf(repository, a).length);
  return name;
};
const filesKept = (below = "") =>
  readdirSync(join(hub.ctx.config.DATA_DIR, "blobs", below), { recursive: true, withFileTypes: true }).filter((entry) =>
    entry.isFile(),
  ).length;

describe("the repository's configuration", () => {
  it("is the same under both addresses, and only for holders of the token", async () => {
    const config = "[core]\nrepo_version=1\nmode=archive-z2\nindexed-deltas=true\n";
    for (const version of ["v2", "v3"]) {
      const reply = await fetch(`${hub.url}/api/${version}/config`, { headers: { authorization } });
      expect([reply.status, await reply.text()]).toEqual([200, config]);
      expect((await fetch(`${hub.url}/api/${version}/config`)).status).toBe(401);
    }
  });
});

describe("an object", () => {
  it("is stored once, found, read whole and in ranges, and deleted", async () => {
    const object = largest();
    const bytes = bytesOf(repository, object);
    expect(await head(object)).toBe(404);
    expect(await codeOf(hub.call(addressOf(object)))).toEqual([404, "object_missing"]);
    expect((await post(hub, object, bytes)).status).toBe(204);
    expect(await codeOf(post(hub, object, bytes))).toEqual([409, "object_exists"]);
    expect(await head(object)).toBe(200);
    const whole = await hub.call(addressOf(object));
    expect([whole.status, whole.headers.get("content-length"), whole.headers.get("content-type")]).toEqual([
      200,
      String(bytes.length),
      "application/octet-stream",
    ]);
    expect(Buffer.from(await whole.arrayBuffer()).equals(bytes)).toBe(true);
    const part = await hub.call(addressOf(object), { headers: { range: "bytes=1000-1999" } });
    expect([part.status, part.headers.get("content-range")]).toEqual([206, `bytes 1000-1999/${bytes.length}`]);
    expect(Buffer.from(await part.arrayBuffer()).equals(bytes.subarray(1_000, 2_000))).toBe(true);
    const beyond = await hub.call(addressOf(object), { headers: { range: `bytes=${bytes.length}-` } });
    expect(beyond.status).toBe(416);
    expect((await hub.call(addressOf(object), { method: "DELETE" })).status).toBe(204);
    expect(await codeOf(hub.call(addressOf(object), { method: "DELETE" }))).toEqual([404, "object_missing"]);
    expect([await head(object), filesKept()]).toEqual([404, 0]);
  });

  it("comes as a form too, and is then answered 200", async () => {
    const object = first("dirmeta");
    const form = () => {
      const body = new FormData();
      body.append("file", new Blob([bytesOf(repository, object)]), "object");
      return hub.call(addressOf(object), { method: "POST", body });
    };
    expect((await form()).status).toBe(200);
    expect(await codeOf(form())).toEqual([409, "object_exists"]);
  });

  it("says its length when it is asked for, and none when it is not there: else clients connect anew each time", async () => {
    const object = objectsOf("dirtree").at(-1) ?? "";
    const lengthOf = async () => (await hub.call(addressOf(object), { method: "HEAD" })).headers.get("content-length");
    expect(await lengthOf()).toBe("0");
    await post(hub, object, bytesOf(repository, object));
    expect(await lengthOf()).toBe(String(bytesOf(repository, object).length));
    await hub.call(addressOf(object), { method: "DELETE" });
  });

  it("that can't get its place fails alone among those that arrive with it, and is not listed", async () => {
    const objects = [...objectsOf("dirtree"), ...objectsOf("commit")];
    const [unlucky = "", ...others] = objects;
    const name = findObjectName(unlucky);
    if (name === null) throw new Error(`${unlucky} is no object`);
    // Where its file should be there is a folder with something in it.
    const place = join(hub.ctx.config.DATA_DIR, "blobs", objectKey("east", name));
    mkdirSync(join(place, "in the way"), { recursive: true });
    const replies = await Promise.all(objects.map((object) => post(hub, object, bytesOf(repository, object), "east")));
    expect(replies.map(({ status }) => status)).toEqual([500, ...others.map(() => 204)]);
    expect(await head(unlucky, "east")).toBe(404);
    expect(await hub.ctx.db.treehubObject.count({ where: { namespaceId: "east" } })).toBe(others.length);
    rmSync(place, { recursive: true });
    expect((await post(hub, unlucky, bytesOf(repository, unlucky), "east")).status).toBe(204);
  });

  it("is another one in another namespace", async () => {
    const object = first("dirtree");
    expect((await post(hub, object, bytesOf(repository, object), "west")).status).toBe(204);
    expect([await head(object), await head(object, "west")]).toEqual([404, 200]);
    expect(await codeOf(hub.call(addressOf(object), { method: "DELETE" }))).toEqual([404, "object_missing"]);
    const usage = await (await hub.call("/gatehouse/usage", { namespace: "west" })).json();
    expect(usage).toEqual({
      objects: 1,
      objectBytes: bytesOf(repository, object).length,
      deltaFiles: 0,
      deltaBytes: 0,
    });
  });

  it.each(["commit", "dirtree", "dirmeta", "filez"])(
    "of kind %s that is not what its name says leaves nothing",
    async (kind) => {
      const before = filesKept();
      const object = `${"0".repeat(64)}.${kind}`;
      expect(await codeOf(post(hub, object, bytesOf(repository, first(kind))))).toEqual([400, "invalid_entity"]);
      expect([await head(object), filesKept()]).toEqual([404, before]);
    },
  );

  it("needs a name, a length and its bytes here", async () => {
    const address = addressOf(objectsOf("commit")[0] ?? "");
    const init = { method: "POST", headers: { "content-type": "application/octet-stream" } };
    const chunked = { ...init, body: new Blob(["x"]).stream(), duplex: "half" as const };
    expect(await codeOf(hub.call(address, chunked))).toEqual([400, "invalid_entity"]);
    expect(await codeOf(hub.call(address, init))).toEqual([400, "invalid_entity"]);
    const elsewhere = { method: "POST", headers: { "x-ats-accept-redirect": "true" } };
    expect(await codeOf(hub.call(`${address}?size=10`, elsewhere))).toEqual([400, "out_of_band_storage_not_supported"]);
    expect(await codeOf(hub.call(address, { method: "PUT" }))).toEqual([404, "object_missing"]);
    for (const broken of [
      "/objects/zz/00.commit",
      `/objects/00/${"0".repeat(62)}.exe`,
      `/objects/0/${"0".repeat(63)}.commit`,
    ]) {
      expect(await codeOf(hub.call(broken, { ...init, body: "x" }))).toEqual([400, "invalid_entity"]);
      expect(await codeOf(hub.call(broken))).toEqual([404, "object_missing"]);
      expect((await hub.call(broken, { method: "HEAD" })).status).toBe(404);
    }
  });

  it("that breaks off leaves nothing and can come again", async () => {
    const object = largest();
    const bytes = bytesOf(repository, object);
    const before = filesKept();
    const socket = connect(Number(new URL(hub.url).port), "127.0.0.1");
    socket.write(
      `POST /api/v2${addressOf(object)} HTTP/1.1\r\nhost: x\r\nauthorization: ${authorization}\r\ncontent-length: ${bytes.length}\r\n\r\n`,
    );
    socket.write(bytes.subarray(0, 200_000));
    await eventually(() => expect(filesKept("staged")).toBe(1));
    socket.destroy();
    await eventually(() => expect(filesKept()).toBe(before));
    expect(await head(object)).toBe(404);
    expect((await post(hub, object, bytes)).status).toBe(204);
  });

  it("pushed many times at once through two processes is made once, and all others are told that it is there", async () => {
    const object = objectsOf("filez").find((name) => name !== largest()) ?? "";
    const replies = await Promise.all(
      Array.from({ length: 12 }, (_, index) =>
        post(index % 2 === 0 ? hub : other, object, bytesOf(repository, object)),
      ),
    );
    expect(replies.map(({ status }) => status).sort()).toEqual([204, ...Array.from({ length: 11 }, () => 409)]);
    expect(await head(object)).toBe(200);
  });

  it("whose bytes are gone is not said to be there", async () => {
    const object = `${commits[0]}.commit`;
    expect((await post(hub, object, bytesOf(repository, object))).status).toBe(204);
    const row = await hub.ctx.db.treehubObject.findFirstOrThrow({ where: { namespaceId: "default", name: object } });
    await hub.ctx.blobs.remove(row.blobKey);
    expect(await head(object)).toBe(404);
    expect(await codeOf(hub.call(addressOf(object)))).toEqual([404, "blob_missing"]);
    await hub.call(addressOf(object), { method: "DELETE" });
  });
});

describe("the sweep", () => {
  it("removes old bytes that nothing lists, and no others", async () => {
    const listed = await hub.ctx.db.treehubObject.count();
    const orphan = await hub.ctx.blobs.stage(new Blob(["orphan"]).stream(), { maxBytes: 100 });
    await orphan.keep(`treehub/${"0".repeat(64)}/objects/00/${"0".repeat(62)}.filez`);
    expect(await sweepTreehub(hub.ctx, new Date(0))).toBe(0);
    expect(filesKept()).toBe(listed + 1);
    expect(await sweepTreehub(hub.ctx, new Date(Date.now() + 86_400_000))).toBe(1);
    expect(filesKept()).toBe(listed);
  });
});

describe("a ref", () => {
  const ref = (name: string, commit: string | undefined, headers: Record<string, string> = {}) =>
    hub.call(`/refs/${name}`, { method: "POST", body: commit ?? "", headers });
  beforeAll(async () => {
    for (const commit of commits) {
      const object = `${commit}.commit`;
      if ((await head(object)) !== 200) await post(hub, object, bytesOf(repository, object));
    }
  });

  it("goes forward to a child, anywhere by force, and says where it is", async () => {
    const [one, two, three] = commits;
    expect(await codeOf(hub.call("/refs/heads/line"))).toEqual([404, "missing_entity"]);
    const made = await ref("heads/line", one, { "content-type": "application/octet-stream" });
    expect([made.status, await made.json()]).toEqual([200, one]);
    expect((await ref("heads/line", one)).status).toBe(200);
    expect(await codeOf(ref("heads/line", three))).toEqual([412, "Cannot force push"]);
    expect((await ref("heads/line", two, { "content-type": "application/x-www-form-urlencoded" })).status).toBe(200);
    expect(await codeOf(ref("heads/line", one))).toEqual([412, "Cannot force push"]);
    expect(await (await hub.call("/refs/heads/line")).text()).toBe(two);
    expect((await ref("heads/line", one, { "x-ats-ostree-force": "true" })).status).toBe(200);
    const read = await hub.call("/refs/heads/line");
    expect([read.headers.get("content-type"), await read.text()]).toEqual(["text/plain; charset=utf-8", one]);
    expect((await hub.call("/refs/heads/line", { namespace: "west" })).status).toBe(404);
  });

  it("points to a commit that is here, and to nothing else", async () => {
    const force = { "x-ats-ostree-force": "true" };
    expect(await codeOf(ref("heads/x", "0".repeat(64), force))).toEqual([412, "commit_missing"]);
    for (const broken of ["", "abc", `${commits[0]}\n`, "Z".repeat(64)]) {
      expect(await codeOf(ref("heads/x", broken, force))).toEqual([400, "invalid_entity"]);
    }
    expect((await ref("heads/x", "0".repeat(5_000), force)).status).toBe(413);
    expect(await codeOf(ref("heads/.x", commits[0], force))).toEqual([400, "invalid_entity"]);
  });

  it("moved by two at once from one commit goes to one child only", async () => {
    const [one = ""] = commits;
    const children = ["left", "right"].map((branch) =>
      ostree(`--repo=${repository.path}`, "commit", `--branch=${branch}`, `--parent=${one}`, `--tree=ref=${one}`),
    );
    for (const child of children) await post(hub, `${child}.commit`, bytesOf(repository, `${child}.commit`));
    await ref("heads/race", one, { "x-ats-ostree-force": "true" });
    const moved = await Promise.all(children.map((child) => ref("heads/race", child)));
    expect(moved.map(({ status }) => status).sort()).toEqual([200, 412]);
  });
});

describe("a repo tool's manifest", () => {
  const manifest = (projects: unknown) => ({ manifest: { default: { "@revision": "thud" }, project: projects } });
  const put = (commit: string | undefined, body: unknown) =>
    hub.call(`/manifests/${commit}`, {
      method: "PUT",
      body: JSON.stringify(body),
      headers: { "content-type": "application/json" },
    });
  const good = manifest([{ "@path": "meta-updater", "@revision": "abc" }]);

  it("is kept as it came, with its commit only", async () => {
    expect((await put(commits[0], good)).status).toBe(200);
    expect((await put(commits[0], good)).status).toBe(200);
    const rows = await hub.ctx.db.treehubManifest.findMany({ where: { namespaceId: "default" } });
    expect(rows.map(({ commit, bytes }) => [commit, Buffer.from(bytes).toString()])).toEqual([
      [commits[0], JSON.stringify(good)],
    ]);
    expect(await codeOf(put("0".repeat(64), good))).toEqual([412, "commit_missing"]);
  });

  it.each([[[]], [[{ "@path": "poky", "@revision": "1" }]], [[{ "@path": "meta-updater" }]], ["no list"]])(
    "without meta-updater and its revision (%j) is refused",
    async (projects) => expect(await codeOf(put(commits[0], manifest(projects)))).toEqual([400, "invalid_entity"]),
  );
});

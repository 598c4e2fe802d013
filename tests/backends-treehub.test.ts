import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import http from "node:http";
import type { AddressInfo } from "node:net";
import path from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type Backends, createBackends } from "#lib/backends/backends.ts";
import { loadConfig } from "#lib/config/load.ts";
import { createTestRepository } from "#tests/harness/ostree.ts";

const CALL = { namespaceId: "default", requestId: "request-1" };
const OBJECT = /^\/api\/v2\/objects\/([0-9a-f]{2}\/[0-9a-f]{62}\.[a-z]+)$/;

/* Somebody else's TreeHub: the objects of a real repository under the contract's paths, and no extension of ours. */
describe("a commit in a TreeHub that is not ours", () => {
  let repository: ReturnType<typeof createTestRepository>;
  let commit: string;
  let server: http.Server;
  let backends: Backends;
  let answer: ((res: http.ServerResponse) => void) | null;

  beforeAll(async () => {
    repository = createTestRepository();
    commit = repository.commit({ "usr/bin/app": randomBytes(100_000), "etc/app.conf": "on" });
    server = http.createServer((req, res) => {
      const object = OBJECT.exec(req.url ?? "")?.[1];
      if (object === undefined) return void res.writeHead(404).end();
      if (answer !== null) return answer(res);
      try {
        res.end(readFileSync(path.join(repository.path, "objects", object)));
      } catch {
        res.writeHead(404).end();
      }
    });
    await once(server.listen(0, "127.0.0.1"), "listening");
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const { config, secrets } = loadConfig("supervisor", { SERVICES_TOKEN: "t".repeat(40), TREEHUB_URL: url });
    backends = createBackends(config, secrets);
  });
  beforeEach(() => {
    answer = null;
  });
  afterAll(() => {
    backends.close();
    server.closeAllConnections();
    server.close();
  });

  const check = () => backends.treehub.checkCommit(CALL, commit);
  const anObject = () => {
    const name = repository.objects().find((object) => object.endsWith(".filez")) ?? "";
    return path.join(repository.path, "objects", name.slice(0, 2), name.slice(2));
  };

  it("is complete when every object has the bytes of its name", async () => {
    const found = await check();
    expect(found?.problem).toBeNull();
    const files = repository.objects().filter((name) => name.endsWith(".filez"));
    expect(found?.objects).toMatchObject({ commit: 1, filez: files.length });
  });

  describe("with one object", () => {
    let file: string;
    let bytes: Buffer;
    beforeEach(() => {
      file = anObject();
      bytes = readFileSync(file);
    });
    afterEach(() => {
      rmSync(file, { force: true });
      writeFileSync(file, bytes);
    });

    it("gone: says which and where", async () => {
      rmSync(file);
      expect((await check())?.problem).toMatchObject({
        code: "ota.object_missing",
        path: expect.stringMatching(/^\/\w/),
      });
    });

    it("changed: says which", async () => {
      const changed = Buffer.from(bytes);
      changed[changed.length - 3] = (changed.at(-3) ?? 0) ^ 1;
      rmSync(file);
      writeFileSync(file, changed);
      expect((await check())?.problem?.code).toMatch(/^ostree\./);
    });
  });

  it("is not known when objects are kept elsewhere", async () => {
    answer = (res) => void res.writeHead(302, { location: "http://127.0.0.1:1/somewhere" }).end();
    expect(await check()).toBeNull();
  });

  it("is not judged when the TreeHub fails", async () => {
    answer = (res) => void res.writeHead(500).end();
    await expect(check()).rejects.toMatchObject({ code: "backend.refused", context: { status: 500 } });
  });
});

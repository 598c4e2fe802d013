import { createServer, type Server as HttpServer } from "node:http";
import { gzipSync } from "node:zlib";
import { beforeEach, describe, expect, it } from "vitest";
import { formatExpires } from "#lib/uptane/expiry.ts";
import type { JsonObject } from "#lib/uptane/json.ts";
import { generateKeyPair, serverKeyId, signerFromPrivate } from "#lib/uptane/keys.ts";
import { signDocument } from "#lib/uptane/signatures.ts";
import { bytesOf, sha256, startServer, upload, verifyAsDevice } from "./harness.ts";
import { BYTES, clock, codeOf, ctx, other, server, standForEachTest } from "./stand.ts";

standForEachTest();

const pair = generateKeyPair("ED25519");
const stranger = generateKeyPair("ED25519");
const KEY = { ...pair.publicKey };
const ROLE = {
  name: "supplier",
  keyids: [serverKeyId(pair.publicKey)],
  paths: ["supplier/*"],
  threshold: 1,
  terminating: true,
};
const send = (path: string, method: string, body: unknown, headers: Record<string, string> = {}, to = server) =>
  to.call(path, {
    method,
    body: body instanceof Uint8Array ? Uint8Array.from(body) : JSON.stringify(body),
    headers: { "content-type": "application/json", ...headers },
  });
const signedOf = async (role: string, from = server) => (await (await from.call(`/${role}.json`)).json()).signed;

function documentOf(change: Record<string, unknown> = {}, key = pair): Buffer {
  const custom = {
    name: "app",
    version: "1",
    hardwareIds: ["rpi4"],
    targetFormat: "BINARY",
    uri: "https://a.example/app",
  };
  const signed = {
    _type: "Targets",
    expires: formatExpires(new Date(clock.now.getTime() + 86_400_000)),
    targets: { "supplier/app": { custom, hashes: { sha256: sha256(BYTES) }, length: BYTES.length } },
    version: 1,
    ...change,
  };
  return signDocument(signed as unknown as JsonObject, [signerFromPrivate("ED25519", key.privateKey)]).bytes;
}
const putDocument = (bytes: Uint8Array, headers?: Record<string, string>, name = "supplier") =>
  send(`/delegations/${name}.json`, "PUT", bytes, headers);

async function delegate(): Promise<void> {
  expect((await send("/trusted-delegations/keys", "PUT", [KEY])).status).toBe(204);
  expect((await send("/trusted-delegations", "PUT", [ROLE])).status).toBe(204);
}

describe("delegations", () => {
  it("stand in the signed targets, keys first, and can be taken back", async () => {
    expect(await codeOf(await send("/trusted-delegations", "PUT", [ROLE]))).toEqual([
      400,
      "trusted_delegations_invalid",
    ]);
    expect((await signedOf("targets")).delegations).toBeUndefined();
    await delegate();
    const block = { keys: { [serverKeyId(pair.publicKey)]: KEY }, roles: [ROLE] };
    expect((await signedOf("targets", other)).delegations).toEqual(block);
    expect(await (await server.call("/trusted-delegations")).json()).toEqual([ROLE]);
    expect(await (await server.call("/trusted-delegations/keys")).json()).toEqual([KEY]);
    expect(await codeOf(await send("/trusted-delegations/keys", "PUT", []))).toEqual([
      400,
      "trusted_delegations_invalid",
    ]);
    await upload(server, "app_1", BYTES);
    const { targets } = await verifyAsDevice(other, clock.now);
    expect([targets.signed.delegatedRoles, targets.signed.targets.size]).toEqual([1, 1]);
    expect((await server.call("/trusted-delegations/supplier", { method: "DELETE" })).status).toBe(204);
    expect((await signedOf("targets")).delegations.roles).toEqual([]);
    const again = await server.call("/trusted-delegations/supplier", { method: "DELETE" });
    expect(await codeOf(again)).toEqual([404, "delegations_not_found"]);
  });

  it("are refused with a key that devices do not know", async () => {
    const elliptic = { keytype: "ECPRIME256V1", keyval: { public: "00" } };
    expect((await send("/trusted-delegations/keys", "PUT", [elliptic])).status).toBe(400);
    expect((await send("/trusted-delegations/keys", "PUT", { a: 1 })).status).toBe(400);
  });
});

describe("a delegated document", () => {
  beforeEach(delegate);

  it("is served as the bytes that the snapshot names", async () => {
    const bytes = documentOf();
    const before = await signedOf("snapshot");
    const pretty = Buffer.from(JSON.stringify(JSON.parse(bytes.toString("utf8")), null, 2));
    expect((await putDocument(gzipSync(pretty), { "content-encoding": "gzip" })).status).toBe(204);
    const served = await other.call("/delegations/supplier.json");
    expect([served.headers.get("x-ats-delegation-last-fetched-at"), (await bytesOf(served)).equals(bytes)]).toEqual([
      null,
      true,
    ]);
    const snapshot = await signedOf("snapshot");
    expect(snapshot.meta["supplier.json"]).toEqual({
      hashes: { sha256: sha256(bytes) },
      length: bytes.length,
      version: 1,
    });
    expect(snapshot.version).toBe(before.version + 1);
    await verifyAsDevice(server, clock.now);
  });

  it.each([
    ["signed by somebody else", () => documentOf({}, stranger), 400, "payload_signature_invalid"],
    [
      "listing what is not delegated",
      () => documentOf({ targets: { app: { hashes: { sha256: sha256(BYTES) }, length: 1 } } }),
      400,
      "invalid_delegated_target",
    ],
    ["that has expired", () => documentOf({ expires: "2020-01-01T00:00:00Z" }), 400, "invalid_entity"],
    ["of another role", () => documentOf({ _type: "Snapshot" }), 400, "invalid_entity"],
    ["that delegates further", () => documentOf({ delegations: { keys: {}, roles: [ROLE] } }), 400, "invalid_entity"],
    ["that is none", () => Buffer.from("{}"), 400, "invalid_entity"],
  ])("%s is refused", async (_what, bytes, status, code) => {
    const before = await signedOf("snapshot");
    expect(await codeOf(await putDocument(bytes()))).toEqual([status, code]);
    expect(await signedOf("snapshot")).toEqual(before);
    expect(await codeOf(await server.call("/delegations/supplier.json"))).toEqual([404, "delegations_not_found"]);
  });

  it("of a name that nothing is delegated to, or that can't be one, is refused", async () => {
    expect(await codeOf(await putDocument(documentOf(), {}, "nobody"))).toEqual([400, "delegations_not_defined"]);
    expect(await codeOf(await putDocument(documentOf(), {}, "snapshot"))).toEqual([
      400,
      "invalid_delegation_role_name",
    ]);
  });

  it("does not unfold beyond its bound", async () => {
    const bomb = gzipSync(Buffer.alloc(9_000_000, " "));
    expect((await putDocument(bomb, { "content-encoding": "gzip" })).status).toBe(413);
    expect((await putDocument(documentOf(), { "content-encoding": "gzip" })).status).toBe(400);
  });

  it("is never replaced by an older one, nor vanishes from the snapshot", async () => {
    await putDocument(documentOf({ version: 3 }));
    expect(await codeOf(await putDocument(documentOf({ version: 2 })))).toEqual([409, "conflicting_entity"]);
    expect((await putDocument(documentOf({ version: 4 }))).status).toBe(204);
    await server.call("/trusted-delegations/supplier", { method: "DELETE" });
    expect((await signedOf("snapshot")).meta["supplier.json"].version).toBe(4);
    expect((await server.call("/delegations/supplier.json")).status).toBe(404);
    expect((await (await server.call("/delegations_items")).json()).total).toBe(0);
  });

  it("can be searched by what it lists", async () => {
    await putDocument(documentOf());
    const { values, total } = await (await server.call("/delegations_items?nameContains=ier/a")).json();
    const item = values[0];
    expect([total, item.targetFilename, item.delegatedRoleName]).toEqual([1, "supplier/app", "supplier"]);
    expect(item.clientTargetItem).toMatchObject({
      hashes: { sha256: sha256(BYTES) },
      length: BYTES.length,
      custom: { name: "app" },
    });
    expect((await (await server.call("/delegations_items?nameContains=_")).json()).total).toBe(0);
    expect(await (await server.call("/delegations_items/supplier/app")).json()).toEqual([item]);
    expect(await codeOf(await server.call("/delegations_items/none"))).toEqual([400, "invalid_delegated_target"]);
  });
});

describe("a remote delegation", () => {
  let publisher: HttpServer;
  let url: string;
  let document: Buffer;
  const allowing = async () => startServer({ ...ctx, config: { ...ctx.config, FETCH_PRIVATE: ["127.0.0.1"] } });
  beforeEach(async () => {
    await delegate();
    document = documentOf();
    publisher = createServer((req, res) => {
      if (req.headers["x-key"] === "open") res.end(document);
      else res.writeHead(401).end();
    });
    await new Promise<void>((resolve) => publisher.listen(0, "127.0.0.1", resolve));
    const address = publisher.address();
    url = typeof address === "object" && address !== null ? `http://127.0.0.1:${address.port}/supplier.json` : "";
    return () => void publisher.close();
  });

  it("is fetched with its headers, again on demand, and says so", async () => {
    const mine = await allowing();
    try {
      const remote = { uri: url, remoteHeaders: { "x-key": "open" }, friendlyName: "Our supplier" };
      expect((await send("/trusted-delegations/supplier/remote", "PUT", remote, {}, mine)).status).toBe(201);
      const served = await server.call("/delegations/supplier.json");
      expect(served.headers.get("x-ats-delegation-last-fetched-at")).toBe(formatExpires(clock.now));
      clock.advance(60_000);
      document = documentOf({ version: 2 });
      expect((await send("/trusted-delegations/supplier/remote/refresh", "PUT", {}, {}, mine)).status).toBe(200);
      expect((await bytesOf(server.call("/delegations/supplier.json"))).equals(document)).toBe(true);
      const info = await (await server.call("/trusted-delegations/supplier/info")).json();
      const [lastFetched, expires] = [
        formatExpires(clock.now),
        formatExpires(new Date(clock.now.getTime() + 86_400_000)),
      ];
      expect(info).toEqual({ lastFetched, remoteUri: url, friendlyName: "Our supplier", expires });
      document = Buffer.from("nothing");
      const broken = await send("/trusted-delegations/supplier/remote/refresh", "PUT", {}, {}, mine);
      expect(await codeOf(broken)).toEqual([502, "delegation_remote_parse_failed"]);
      const refused = await send("/trusted-delegations/supplier/remote", "PUT", { uri: url }, {}, mine);
      expect(await codeOf(refused)).toEqual([502, "delegation_remote_fetch_failed"]);
      const kept = await ctx.db.imageDelegation.findFirstOrThrow();
      expect(Buffer.from(kept.sealedHeaders ?? []).includes("open")).toBe(false);
    } finally {
      await mine.app.close();
    }
  });

  it("is not fetched from inside, nor with headers of the connection, nor again without an address", async () => {
    const put = (body: unknown) => send("/trusted-delegations/supplier/remote", "PUT", body);
    expect(await codeOf(await put({ uri: url }))).toEqual([400, "invalid_entity"]);
    expect((await put({ uri: url, remoteHeaders: { Host: "x" } })).status).toBe(400);
    const refresh = await send("/trusted-delegations/supplier/remote/refresh", "PUT", {});
    expect(await codeOf(refresh)).toEqual([412, "missing_remote_delegation_uri"]);
  });

  it("has a friendly name, and nothing else that can be changed", async () => {
    const patch = (body: unknown) => send("/trusted-delegations/supplier/info", "PATCH", body);
    expect((await patch({ friendlyName: "Ours" })).status).toBe(200);
    expect(await codeOf(await patch({ friendlyName: "Ours", remoteUri: "x" }))).toEqual([
      400,
      "immutable_fields_specified",
    ]);
    const nothing = { lastFetched: null, remoteUri: null, friendlyName: "Ours", expires: null };
    expect(await (await server.call("/trusted-delegations/info")).json()).toEqual({ supplier: nothing });
    expect(await codeOf(await server.call("/trusted-delegations/nobody/info"))).toEqual([404, "delegations_not_found"]);
  });
});

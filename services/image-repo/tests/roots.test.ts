import { describe, expect, it } from "vitest";
import type { Json, JsonObject } from "#lib/uptane/json.ts";
import { generateKeyPair, type Signer, serverKeyId, signerFromPrivate } from "#lib/uptane/keys.ts";
import { signDocument } from "#lib/uptane/signatures.ts";
import { bytesOf, upload, verifyAsDevice } from "./harness.ts";
import { BYTES, clock, codeOf, ctx, other, server, standForEachTest, targetsVersion } from "./stand.ts";

standForEachTest();

const json = (body: unknown, method: string) => ({
  method,
  body: JSON.stringify(body),
  headers: { "content-type": "application/json" },
});
type Root = { version: number; roles: Record<string, { keyids: string[]; threshold: number }>; keys: JsonObject };
const keyIdOf = async (role: string): Promise<string> => {
  const { signed } = (await (await server.call("/root.json")).json()) as { signed: Root };
  return signed.roles[role]?.keyids[0] ?? "";
};
const unsignedRoot = async () => (await (await server.call("/root")).json()) as Root;

async function takeKey(role: string): Promise<Signer> {
  const reply = await server.call(`/root/private_keys/${await keyIdOf(role)}`);
  const { keytype, keyval } = await reply.json();
  return signerFromPrivate(keytype, keyval.private);
}

const push = (signed: unknown, signers: Signer[]) => {
  const { bytes } = signDocument(signed as Json, signers);
  return server.call("/root", json(JSON.parse(bytes.toString("utf8")), "POST"));
};

/** The root with one key of a role replaced by a key that the server never saw. */
function withForeignKey(root: Root, role: string): Root {
  const { publicKey } = generateKeyPair("ED25519");
  const keyid = serverKeyId(publicKey);
  const gone = root.roles[role]?.keyids[0] ?? "";
  const { [gone]: _, ...left } = root.keys;
  return {
    ...root,
    keys: { ...left, [keyid]: { keytype: publicKey.keytype, keyval: { public: publicKey.keyval.public } } },
    roles: { ...root.roles, [role]: { keyids: [keyid], threshold: 1 } },
  };
}

describe("the root of a repository", () => {
  it("is rotated with all that its keys sign, along a chain that devices follow", async () => {
    await upload(server, "app_1", BYTES);
    const before = await keyIdOf("targets");
    expect((await server.call("/root/rotate", { method: "PUT" })).status).toBe(200);
    const { root, targets, versions } = await verifyAsDevice(other, clock.now);
    expect([root.signed.version, versions, targets.signed.targets.has("app_1")]).toEqual([2, [2, 2, 2], true]);
    expect(await keyIdOf("targets")).not.toBe(before);
    expect(await ctx.db.consoleEvent.count({ where: { topic: "key", subjectId: "image" } })).toBe(1);
    expect((await server.call(`/root/private_keys/${before}`)).status).toBe(404);
  });

  it("is handed out unsigned as the next one, and taken back signed; the list of images stays", async () => {
    await upload(server, "app_1", BYTES);
    const next = await unsignedRoot();
    expect(next.version).toBe(2);
    const list = (await server.call("/targets.json")).headers.get("x-ats-role-checksum");
    const pushed = await push(next, [await takeKey("root")]);
    expect([pushed.status, await pushed.json()]).toEqual([200, {}]);
    expect((await server.call("/targets.json")).headers.get("x-ats-role-checksum")).toBe(list);
    const { root } = await verifyAsDevice(other, clock.now);
    expect(root.signed.version).toBe(2);
    const { signed } = await (await server.call("/snapshot.json")).json();
    expect(signed.meta["root.json"].version).toBe(2);
  });

  it("is refused with every reason, and nothing is changed", async () => {
    await upload(server, "app_1", BYTES);
    const next = await unsignedRoot();
    const root = await takeKey("root");
    const wrong = await push({ ...next, version: 3, roles: { ...next.roles, extra: 1 } }, []);
    const { code, cause } = await wrong.json();
    expect([wrong.status, code, cause.length]).toEqual([502, "invalid_root_role", 4]);
    for (const role of ["snapshot", "timestamp"]) {
      expect(await codeOf(await push(withForeignKey(next, role), [root]))).toEqual([502, "invalid_root_role"]);
    }
    expect(await codeOf(await server.call("/root", { method: "POST" }))).toEqual([400, "invalid_entity"]);
    await upload(server, "app_2", BYTES);
    const after = await verifyAsDevice(other, clock.now);
    expect([after.root.signed.version, after.targets.signed.targets.size]).toEqual([1, 2]);
  });

  it("keeps its private keys until they are deleted, for good", async () => {
    const keyId = await keyIdOf("root");
    const pair = await server.call(`/root/private_keys/${keyId}`);
    expect([pair.status, pair.headers.get("cache-control"), await pair.json()]).toEqual([
      200,
      "no-store",
      { keytype: "ED25519", keyval: { public: expect.any(String), private: expect.any(String) } },
    ]);
    expect((await server.call(`/root/private_keys/${keyId}`, { method: "DELETE" })).status).toBe(200);
    for (const method of ["GET", "DELETE"]) {
      for (const id of [keyId, "0".repeat(64), "a%00b"]) {
        expect(await codeOf(await server.call(`/root/private_keys/${id}`, { method }))).toEqual([
          404,
          "keypair_not_found",
        ]);
      }
    }
    expect(await codeOf(await server.call("/root/rotate", { method: "PUT" }))).toEqual([412, "role_key_not_found"]);
  });

  it("belongs to its namespace", async () => {
    const repoId = (await server.call("/root.json")).headers.get("x-ats-tuf-repo-id");
    await server.call("", { method: "POST", namespace: "west" });
    const keyId = await keyIdOf("root");
    expect((await server.call(`/root/private_keys/${keyId}`, { namespace: "west" })).status).toBe(404);
    const foreign = await server.call(`/../repo/${repoId}/root/private_keys/${keyId}`, { namespace: "west" });
    expect(foreign.status).toBe(403);
  });
});

describe("the earliest expiry", () => {
  const set = (expireAt: string) => server.call("/targets/expire/not-before", json({ expireAt }, "PUT"));

  it("holds for the root at once and for each role from the next reading on", async () => {
    await upload(server, "app_1", BYTES);
    expect((await set("2040-01-01T00:00:00Z")).status).toBe(204);
    const expiries = async () =>
      Promise.all(
        ["root", "targets", "snapshot", "timestamp"].map(
          async (role) => JSON.parse((await bytesOf(other.call(`/${role}.json`))).toString("utf8")).signed.expires,
        ),
      );
    expect(await expiries()).toEqual(Array(4).fill("2040-01-01T00:00:00Z"));
    const version = await targetsVersion();
    expect(await expiries()).toEqual(Array(4).fill("2040-01-01T00:00:00Z"));
    expect(await targetsVersion()).toBe(version);
    await upload(server, "app_2", BYTES);
    expect(await expiries()).toEqual(Array(4).fill("2040-01-01T00:00:00Z"));
    await verifyAsDevice(server, clock.now);
  });

  it("can't be set when the root ends earlier and its key is offline, nor to no instant", async () => {
    expect(await codeOf(await set("tomorrow"))).toEqual([400, "invalid_entity"]);
    await server.call(`/root/private_keys/${await keyIdOf("root")}`, { method: "DELETE" });
    expect(await codeOf(await set("2040-01-01T00:00:00Z"))).toEqual([502, "set_root_expire_failed"]);
    expect(await ctx.db.tufRepo.count({ where: { expireNotBefore: { not: null } } })).toBe(0);
  });
});

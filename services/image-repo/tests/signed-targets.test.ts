import { describe, expect, it } from "vitest";
import { formatExpires } from "#lib/uptane/expiry.ts";
import { isJsonObject, type Json, type JsonObject } from "#lib/uptane/json.ts";
import { generateKeyPair, signerFromPrivate } from "#lib/uptane/keys.ts";
import { refreshImageRoles } from "#services/image-repo/service.ts";
import { sign } from "#tests/garage-sign/client.ts";
import { bytesOf, sha256, upload, verifyAsDevice } from "./harness.ts";
import { borrowKey, COMMIT, deleteKey, openPulled, ostreeTarget } from "./signing-tool.ts";
import { assign, BYTES, clock, codeOf, ctx, filesKept, other, server, standForEachTest } from "./stand.ts";

standForEachTest();

const DAY_MS = 86_400_000;
const ROLES = ["targets", "snapshot", "timestamp"];
const signedOf = async (role: string) => (await (await other.call(`/${role}.json`)).json()).signed;
const checksumOf = async () => (await server.call("/targets.json")).headers.get("x-ats-role-checksum") ?? "";
const put = (document: Json, checksum?: string) =>
  server.call("/targets", {
    method: "PUT",
    body: JSON.stringify(document),
    headers: {
      "content-type": "application/json",
      ...(checksum === undefined ? {} : { "x-ats-role-checksum": checksum }),
    },
  });
/** What a tool would push, to be spoilt. */
async function draft(): Promise<JsonObject> {
  const tool = await openPulled();
  tool.targetsSign([]);
  const role = tool.signedTargets()?.signed;
  if (!isJsonObject(role)) throw new Error("nothing signed");
  return role;
}

describe("a list that was signed elsewhere", () => {
  it("is served as signed, with a snapshot and timestamp that end with it, and makes the images", async () => {
    await upload(server, "app_1", Buffer.from("one"));
    const tool = await openPulled();
    const expires = new Date(Math.floor(clock.now.getTime() / 1_000) * 1_000 + 90 * DAY_MS);
    const app = await tool.targetsUpload({ name: "app", version: "2", hardwareIds: ["rpi4"] }, BYTES);
    tool.targetsAdd(ostreeTarget("7"));
    tool.targetsSign([await borrowKey("targets")], { expires });
    await tool.targetsPush();
    const { targets } = await verifyAsDevice(other, clock.now);
    expect([...targets.signed.targets.keys()].sort()).toEqual(["app-2", "app_1", "os-7"]);
    expect(await signedOf("targets")).toEqual(tool.signedTargets()?.signed);
    for (const role of ROLES) expect((await signedOf(role)).expires).toBe(formatExpires(expires));
    expect((await bytesOf(other.call(`/targets/${app}`))).equals(BYTES)).toBe(true);
    const rows = await ctx.db.imageTarget.findMany({ orderBy: { filename: "asc" } });
    expect(rows.map(({ filename, storage, blobKey }) => [filename, storage, blobKey])).toEqual([
      ["app-2", "cli_managed", sha256(BYTES)],
      ["app_1", "managed", sha256(Buffer.from("one"))],
      ["os-7", "unmanaged", null],
    ]);
    const added = await ctx.db.imageAdded.findMany({ orderBy: { id: "asc" } });
    expect(added.map(({ filename }) => filename).sort()).toEqual(["app-2", "app_1", "os-7"]);
    expect(await ctx.db.imageUpload.count()).toBe(0);
  });

  it("takes away what it leaves out, with the bytes, for good; keys that are here go on from it", async () => {
    const targets = await borrowKey("targets");
    const tool = await openPulled();
    const app = await tool.targetsUpload({ name: "app", version: "2", hardwareIds: ["rpi4"] }, BYTES);
    tool.targetsSign([targets]);
    await tool.targetsPush();
    await tool.targetsPull();
    tool.targetsDelete(app);
    tool.targetsSign([targets]);
    await assign(app);
    await expect(tool.targetsPush()).rejects.toMatchObject({ status: 409, code: "image_in_use" });
    await ctx.db.fleetDevice.deleteMany();
    await tool.targetsPush();
    expect([filesKept(), (await server.call(`/targets/${app}`)).status]).toEqual([0, 404]);
    expect(await codeOf(await upload(server, app, Buffer.from("other")))).toEqual([409, "conflicting_entity"]);
    expect((await upload(server, "app_3", Buffer.from("three"))).status).toBe(204);
    expect((await verifyAsDevice(other, clock.now)).versions[0]).toBe(4);
  });

  it("arrives compressed when it is long", async () => {
    const tool = await openPulled();
    for (let index = 0; index < 2_100; index += 1) tool.targetsAdd(ostreeTarget(`${index}`));
    tool.targetsSign([await borrowKey("targets")]);
    expect(JSON.stringify(tool.signedTargets()).length).toBeGreaterThan(500_000);
    await tool.targetsPush();
    expect(await ctx.db.imageTarget.count()).toBe(2_100);
    expect((await verifyAsDevice(other, clock.now)).targets.signed.targets.size).toBe(2_100);
  });

  it("must name the list that it replaces, and may come again", async () => {
    const key = await borrowKey("targets");
    const document = sign(await draft(), [key]);
    const checksum = await checksumOf();
    expect(await codeOf(await put(document))).toEqual([428, "role_checksum_not_provided"]);
    await upload(server, "app_1", BYTES);
    expect(await codeOf(await put(document, checksum))).toEqual([412, "role_checksum_mismatch"]);
    const after = sign(await draft(), [key]);
    const replaces = await checksumOf();
    const pushed = await put(after, replaces);
    expect([pushed.status, pushed.headers.get("x-ats-role-checksum")]).toEqual([204, await checksumOf()]);
    expect((await put(after, replaces)).status).toBe(204);
    expect((await verifyAsDevice(other, clock.now)).versions[0]).toBe(3);
  });

  it("delegates what its block says", async () => {
    const { publicKey } = generateKeyPair("ED25519");
    const key = await borrowKey("targets");
    const keys = await server.call("/trusted-delegations/keys", {
      method: "PUT",
      body: JSON.stringify([{ keytype: publicKey.keytype, keyval: { public: publicKey.keyval.public } }]),
      headers: { "content-type": "application/json" },
    });
    expect(keys.status).toBe(204);
    const role = await draft();
    const block = role.delegations as { keys: JsonObject };
    const [keyid = ""] = Object.keys(block.keys);
    const roles = [{ name: "vendor", keyids: [keyid], paths: ["vendor-*"], threshold: 1, terminating: true }];
    const delegating = { ...role, delegations: { ...block, roles } };
    expect((await put(sign(delegating, [key]), await checksumOf())).status).toBe(204);
    expect(await (await other.call("/trusted-delegations")).json()).toEqual(roles);
    const { delegations: _, ...none } = await draft();
    expect((await put(sign(none, [key]), await checksumOf())).status).toBe(204);
    expect(await (await other.call("/trusted-delegations")).json()).toEqual([]);
    await upload(server, "app_1", BYTES);
    expect((await signedOf("targets")).delegations).toBeUndefined();
  });

  it("is refused with its reasons, and nothing is changed", async () => {
    await upload(server, "app_1", BYTES);
    await upload(server, "gone_1", Buffer.from("gone"));
    expect((await server.call("/targets/gone_1", { method: "DELETE" })).status).toBe(204);
    const key = await borrowKey("targets");
    const foreign = signerFromPrivate("ED25519", generateKeyPair("ED25519").privateKey);
    const role = await draft();
    const checksum = await checksumOf();
    const before = await bytesOf(server.call("/timestamp.json"));
    const at = formatExpires(clock.now);
    const custom = { name: "x", version: "1", hardwareIds: [], createdAt: at, updatedAt: at, targetFormat: "BINARY" };
    const target = (changes: JsonObject = {}, said: JsonObject = {}) => ({
      ...{ length: 3, hashes: { sha256: COMMIT }, custom: { ...custom, ...said } },
      ...changes,
    });
    const listing = (targets: JsonObject) => ({ ...role, targets: { ...(role.targets as JsonObject), ...targets } });
    const invalid: Record<string, Json> = {
      "signed by another key too": sign(role, [key, foreign]),
      "signed by nobody": sign(role, []),
      "with a signature over something else": { ...sign(role, [key]), signed: { ...role, version: 9 } },
      "that has expired": sign({ ...role, expires: at }, [key]),
      "of another role": sign({ ...role, _type: "Snapshot" }, [key]),
      "with other bytes under a name": sign(listing({ app_1: target() }), [key]),
      "with other bytes under a name that was": sign(listing({ gone_1: target() }), [key]),
      "with bytes that never came": sign(listing({ "x-1": target({}, { cliUploaded: true }) }), [key]),
      "without custom": sign(listing({ "x-1": target({ custom: null }) }), [key]),
      "without a name": sign(listing({ "x-1": target({}, { name: 1 }) }), [key]),
      "with a path that no device can ask for": sign(listing({ "a/../b": target() }), [key]),
      "with an address that is none": sign(listing({ "x-1": target({}, { uri: "javascript:1" }) }), [key]),
      "with what is the director's": sign(listing({ "x-1": target({}, { ecuIdentifiers: {} }) }), [key]),
      "of a commit with a length": sign(listing({ "x-1": target({}, { targetFormat: "OSTREE" }) }), [key]),
      "that delegates to a key it has not": sign(
        {
          ...role,
          delegations: {
            keys: {},
            roles: [{ name: "v", keyids: [COMMIT], paths: ["*"], threshold: 1, terminating: true }],
          },
        },
        [key],
      ),
    };
    for (const [what, document] of Object.entries(invalid)) {
      const reply = await put(document, checksum);
      const { code, cause } = await reply.json();
      expect([what, reply.status, code]).toEqual([what, 400, "invalid_offline_targets"]);
      expect(cause).toEqual(expect.arrayContaining([expect.any(String)]));
    }
    for (const version of [1, Number(role.version) - 1, Number(role.version) + 1]) {
      const reply = await put(sign({ ...listing({ "x-1": target() }), version }, [key]), checksum);
      expect(await codeOf(reply)).toEqual([409, "invalid_version_bump"]);
    }
    expect((await bytesOf(server.call("/timestamp.json"))).equals(before)).toBe(true);
    expect((await put(sign(role, [key]), checksum)).status).toBe(204);
  });
});

describe("while the targets keys are offline", () => {
  it("changes of images are refused with the list that somebody else has to sign", async () => {
    await upload(server, "app_1", BYTES);
    const key = await borrowKey("targets");
    await deleteKey("targets");
    const json = (method: string, body: unknown) => ({
      ...{ method, body: JSON.stringify(body), headers: { "content-type": "application/json" } },
    });
    const calls = [
      await upload(server, "app_2", Buffer.from("two")),
      await server.call("/targets/app_1", { method: "DELETE" }),
      await server.call("/targets/app_1", json("PATCH", { hardwareIds: ["x86"] })),
      await server.call("/proprietary-custom/app_1", json("PATCH", { a: 1 })),
      await server.call("/trusted-delegations/keys", json("PUT", [])),
    ];
    for (const reply of calls) expect(await codeOf(reply)).toEqual([412, "role_keys_not_found"]);
    const target = { uri: null, checksum: { method: "sha256", hash: COMMIT }, length: 0, targetFormat: "OSTREE" };
    const posted = { ...target, name: "os", version: "1", hardwareIds: ["rpi4"] };
    const { cause } = await (await server.call("/targets/os-1", json("POST", posted))).json();
    expect([cause.required_key_ids, cause.threshold]).toEqual([[key.keyId], 1]);
    const unsigned = JSON.parse(Buffer.from(cause.unsigned_metadata_base64, "base64").toString("utf8"));
    expect(filesKept()).toBe(1);
    expect((await put(sign(unsigned, [key]), await checksumOf())).status).toBe(204);
    const { targets } = await verifyAsDevice(other, clock.now);
    expect([...targets.signed.targets.keys()].sort()).toEqual(["app_1", "os-1"]);
  });

  it("the list is served past its end, and the worker and reading go on with the others", async () => {
    await upload(server, "app_1", BYTES);
    const before = await bytesOf(server.call("/targets.json"));
    await deleteKey("targets");
    const versions = async () => Promise.all(ROLES.map(async (role) => (await signedOf(role)).version));
    clock.advance(32 * DAY_MS);
    try {
      expect(await refreshImageRoles(ctx)).toBe(1);
      expect(await refreshImageRoles(ctx)).toBe(0);
      expect(await versions()).toEqual([1, 2, 2]);
      clock.advance(DAY_MS);
      expect(await versions()).toEqual([1, 2, 3]);
      expect((await bytesOf(other.call("/targets.json"))).equals(before)).toBe(true);
    } finally {
      clock.advance(-33 * DAY_MS);
    }
  });
});

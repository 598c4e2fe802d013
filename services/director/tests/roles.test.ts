import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { assertThreshold, type Envelope, parseEnvelope } from "#lib/uptane/envelope.ts";
import type { JsonObject } from "#lib/uptane/json.ts";
import { type Signer, signerFromPrivate } from "#lib/uptane/keys.ts";
import { METADATA_LIMITS } from "#lib/uptane/limits.ts";
import { type FullRoot, parseFullRoot, type RootRoleName } from "#lib/uptane/next-root.ts";
import { signDocument } from "#lib/uptane/signatures.ts";
import { verifyDirectorTargets, verifyInitialRoot } from "#lib/uptane/verify.ts";
import { holdKeys } from "#services/director/repository.ts";
import { describeKeys, ensureRepo, unsignedRoot } from "#services/keyserver/service.ts";
import {
  assign,
  direct,
  enrol,
  NEW,
  type Reply,
  startDirector,
  TestDevice,
  type TestDirector,
  untilSomebodyWaits,
} from "./harness.ts";

const DAY_MS = 86_400_000;
const REPO = "/api/v1/admin/repo";
let director: TestDirector;
let repoId: string;
beforeAll(async () => {
  director = await startDirector();
  repoId = (await ensureRepo(director.ctx, "director")).repoId;
});
afterAll(() => director.stop());

const answer = (reply: Reply) => [reply.status, (reply.json as { code?: string }).code];
const get = (path: string) => director.ask("GET", path);
const open = (reply: Reply): Envelope => {
  if (reply.status !== 200) throw new Error(`${reply.status} ${JSON.stringify(reply.json)}`);
  return parseEnvelope(reply.bytes, METADATA_LIMITS.imageTargets);
};
const currentRoot = async (): Promise<FullRoot> => parseFullRoot(open(await get(`${REPO}/root.json`)).signed);

/** The role as a device takes it: signed by the keys that the root in force lists for it. */
async function verified(reply: Reply, role: RootRoleName): Promise<JsonObject> {
  const [root, envelope] = [await currentRoot(), open(reply)];
  const keys = root.roles.get(role);
  if (keys === undefined) throw new Error(`the root lists no ${role}`);
  assertThreshold(envelope, root.keys, keys);
  return envelope.signed;
}

async function signerOf(role: RootRoleName): Promise<Signer> {
  const { roles } = await describeKeys(director.ctx, repoId);
  const keyId = roles.find((one) => one.role === role)?.keys[0]?.keyId ?? "";
  const pair = (await get(`${REPO}/private_keys/${keyId}`)).json as { keytype: "ED25519"; keyval: { private: string } };
  return signerFromPrivate(pair.keytype, pair.keyval.private);
}

describe("offline updates", () => {
  const values = { "app_1.1": { hashes: { sha256: NEW.sha256 }, length: NEW.length, custom: null } };
  const set = (name: string, extra: object = {}) =>
    director.ask("POST", `${REPO}/offline-updates/${name}`, { body: { values, ...extra } });

  it("are signed by a key of their own, version after version, with a snapshot over all of them", async () => {
    const first = await verified(await set("box_1"), "offline-updates");
    expect(first).toEqual({
      _type: "Offline-Updates",
      expires: "2027-03-01T10:00:00Z",
      targets: values,
      version: 1,
    });
    const second = open(await set("box_1"));
    await set("box-2");
    expect(second.signed.version).toBe(2);
    expect((await verified(await get(`${REPO}/offline-updates/1.box_1.json`), "offline-updates")).version).toBe(1);
    const served = await get(`${REPO}/offline-updates/box_1.json`);
    const device = new TestDevice(director);
    expect((await get(device.path("offline-updates/box_1.json"))).bytes.equals(served.bytes)).toBe(true);
    const snapshot = await verified(await get(device.path("offline-snapshot.json")), "offline-snapshot");
    expect(snapshot).toMatchObject({
      _type: "Offline-Snapshot",
      meta: {
        "box_1.json": { hashes: { sha256: second.sha256 }, length: second.length, version: 2 },
        "box-2.json": { version: 1 },
      },
      version: 3,
    });
    expect(open(await get(`${REPO}/1.offline-snapshot.json`)).signed.version).toBe(1);
    expect(answer(await get(`${REPO}/9.offline-snapshot.json`))).toEqual([404, "missing_admin_role"]);
  });

  it("are gone once deleted, and go on with the next version when they come back", async () => {
    await set("gone");
    const path = `${REPO}/offline-updates/gone`;
    expect((await director.ask("DELETE", path)).status).toBe(200);
    expect(answer(await director.ask("DELETE", path))).toEqual([404, "missing_admin_role"]);
    for (const file of [`${path}.json`, `${REPO}/offline-updates/1.gone.json`, `${REPO}/offline-updates/gone`]) {
      expect(answer(await get(file))).toEqual([404, "missing_admin_role"]);
    }
    const { meta } = open(await get(`${REPO}/offline-snapshot.json`)).signed as { meta: JsonObject };
    expect(Object.keys(meta)).not.toContain("gone.json");
    expect(open(await set("gone")).signed.version).toBe(2);
  });

  it("end when they were told to, and the root outlives them by half a year", async () => {
    const expiresAt = "2030-01-01T00:00:00Z";
    expect(open(await set("long", { expiresAt })).signed.expires).toBe(expiresAt);
    expect((await currentRoot()).expires).toEqual(new Date(Date.parse(expiresAt) + 180 * DAY_MS));
    expect((await set("past", { expiresAt: "2020-01-01T00:00:00Z" })).status).toBe(400);
  });

  it("are refused by the three hundred and first name, and with names that no address has", async () => {
    const { db } = director.ctx;
    const live = await db.directorRepoRole.findMany({
      where: { role: "offline-updates", deletedAt: null },
      distinct: ["name"],
    });
    await db.directorRepoRole.createMany({
      data: Array.from({ length: 300 - live.length }, (_, index) => ({
        ...{ repoId, role: "offline-updates", name: `filler-${index}`, version: 1, checksum: "0".repeat(64) },
        bytes: Buffer.from("{}"),
        expiresAt: director.clock.now,
      })),
    });
    expect(answer(await set("one-too-many"))).toEqual([400, "too_many_offline_roles"]);
    expect((await set("box_1")).status).toBe(200);
    for (const name of ["a.b", "a%20b", "x".repeat(254)]) expect((await set(name)).status).toBe(400);
    await db.directorRepoRole.deleteMany({ where: { name: { startsWith: "filler-" } } });
  });

  it("have their snapshot signed again when a quarter of its year is left, and are not signed again themselves", async () => {
    const before = open(await get(`${REPO}/offline-snapshot.json`)).signed;
    const updates = (await get(`${REPO}/offline-updates/box_1.json`)).bytes;
    director.clock.advance(273 * DAY_MS);
    expect(open(await get(`${REPO}/offline-snapshot.json`)).signed.version).toBe(before.version);
    director.clock.advance(2 * DAY_MS);
    const after = await verified(await get(`${REPO}/offline-snapshot.json`), "offline-snapshot");
    expect([after.version, after.meta]).toEqual([Number(before.version) + 1, before.meta]);
    expect((await get(`${REPO}/offline-updates/box_1.json`)).bytes.equals(updates)).toBe(true);
    expect((await currentRoot()).expires.getTime()).toBeGreaterThanOrEqual(
      Date.parse(String(after.expires)) + 180 * DAY_MS,
    );
  });
});

describe("remote sessions", () => {
  const ssh = {
    properties_version: "v1",
    authorized_keys: { ann: { pubkey: "ssh-ed25519 AAAA", meta: null } },
    ra_server_hosts: ["ra.example"],
    ra_server_ssh_pubkeys: ["ssh-ed25519 BBBB"],
  };
  const commands = { allowed_commands: { reboot: { args: ["now"] } }, version: "v1alpha" };
  const PATH = "/api/v1/admin/remote-sessions.json";
  const push = (body: unknown) => director.ask("POST", PATH, { body });

  it("are one signed role with remote commands, each kept when the other changes, without nulls", async () => {
    expect(answer(await get(PATH))).toEqual([404, "missing_admin_role"]);
    const body = { remoteCommands: commands };
    expect((await director.ask("POST", "/api/v1/admin/remote-commands", { body })).status).toBe(202);
    const sessions = { remoteSessions: { ssh, version: "v1alpha" } };
    const made = await director.ask("POST", "/api/v1/admin/remote-sessions", { body: sessions });
    expect(await verified(made, "remote-sessions")).toEqual({
      _type: "Remote-Sessions",
      expires: expect.any(String),
      remote_commands: commands,
      remote_sessions: {
        ssh: { ...ssh, authorized_keys: { ann: { pubkey: "ssh-ed25519 AAAA" } } },
        version: "v1alpha",
      },
      version: 2,
    });
    const device = new TestDevice(director);
    expect((await get(device.path("remote-sessions.json"))).bytes.equals(made.bytes)).toBe(true);
    const unknown = { remoteCommands: { ...commands, allowed_commands: { format: { args: [] } } } };
    expect((await director.ask("POST", "/api/v1/admin/remote-commands", { body: unknown })).status).toBe(400);
  });

  it("may be signed elsewhere, as the next version and by the role's key", async () => {
    const signer = await signerOf("remote-sessions");
    const { signed } = open(await get(PATH));
    const next = { ...signed, version: Number(signed.version) + 1 };
    const signedBy = (content: JsonObject, by: Signer) => JSON.parse(signDocument(content, [by]).bytes.toString());
    expect(answer(await push(signedBy(signed, signer)))).toEqual([409, "invalid_version_bump"]);
    expect(answer(await push(signedBy(next, await signerOf("snapshot"))))).toEqual([400, "invalid_signed_payload"]);
    expect(answer(await push(signedBy({ ...next, _type: "Targets" }, signer)))).toEqual([
      400,
      "invalid_signed_payload",
    ]);
    expect(answer(await push({}))).toEqual([400, "invalid_signed_payload"]);
    expect((await push(signedBy(next, signer))).status).toBe(200);
    expect((await verified(await get(PATH), "remote-sessions")).version).toBe(next.version);
    director.clock.advance(275 * DAY_MS);
    expect((await verified(await get(PATH), "remote-sessions")).version).toBe(next.version + 1);
  });
});

describe("the root's keys", () => {
  async function targetsOf(device: TestDevice) {
    const { version } = await currentRoot();
    const root = await get(device.path(`${version}.root.json`));
    const { bytes } = await get(device.path("targets.json"));
    return verifyDirectorTargets({
      bytes,
      root: verifyInitialRoot(root.bytes, version),
      now: director.clock.now,
      storedVersion: undefined,
    }).signed;
  }

  it("are rotated, and every device gets its list under the new ones, in every process", async () => {
    const device = await enrol(director);
    await assign(director, [device], { rpi4: { to: NEW } });
    const before = await targetsOf(device);
    const other = director.second();
    await other.ask("GET", device.path("timestamp.json"));
    const root = await currentRoot();
    expect((await director.ask("PUT", `${REPO}/root/rotate`)).status).toBe(200);
    expect((await currentRoot()).version).toBe(root.version + 1);
    const after = await targetsOf(device);
    expect([after.version, [...after.targets.keys()]]).toEqual([before.version + 1, [NEW.filepath]]);
    const late = new TestDevice(other);
    expect((await late.register()).status).toBe(201);
    expect((await targetsOf(late)).version).toBe(1);
  });

  it("wait for whoever signs for a device at that moment, so that nobody's list is left under the old ones", async () => {
    const { ctx } = director;
    let release = () => {};
    const released = new Promise<void>((resolve) => {
      release = resolve;
    });
    const signing = ctx.db.$transaction(async (tx) => {
      await holdKeys(tx, repoId);
      await released;
    });
    const { version } = await currentRoot();
    const rotation = director.ask("PUT", `${REPO}/root/rotate`);
    await untilSomebodyWaits(director);
    expect((await currentRoot()).version).toBe(version);
    release();
    await signing;
    expect((await rotation).status).toBe(200);
  });

  it("may be replaced by a root that was signed elsewhere, and by no other", async () => {
    const device = await enrol(director);
    const [root, targets] = [await currentRoot(), await targetsOf(device)];
    const next = await unsignedRoot(director.ctx, repoId);
    const push = async (signer: Signer) =>
      director.ask("POST", `${REPO}/root`, { body: JSON.parse(signDocument(next, [signer]).bytes.toString()) });
    expect(answer(await push(await signerOf("snapshot")))).toEqual([502, "invalid_root_role"]);
    expect((await currentRoot()).version).toBe(root.version);
    expect((await push(await signerOf("root"))).status).toBe(200);
    expect((await currentRoot()).version).toBe(root.version + 1);
    expect((await targetsOf(device)).version).toBe(targets.version + 1);
  });

  it("are handed out and taken offline by id; a root without its key can't be rotated", async () => {
    const { ctx, clock } = director;
    const namespace = "keys";
    const own = { ...ctx, namespaceId: namespace };
    const { repoId: ownRepo } = await ensureRepo(own, "director");
    const keyId = (await describeKeys(own, ownRepo)).roles.find(({ role }) => role === "root")?.keys[0]?.keyId ?? "";
    const path = `${REPO}/private_keys/${keyId}`;
    const strict = direct(ctx, clock);
    expect((await strict.ask("GET", path, { namespace })).json).toMatchObject({
      keytype: "ED25519",
      keyval: { public: expect.any(String), private: expect.any(String) },
    });
    expect(answer(await strict.ask("GET", path))).toEqual([404, "keypair_not_found"]);
    expect((await strict.ask("DELETE", path, { namespace })).status).toBe(200);
    expect(answer(await strict.ask("GET", path, { namespace }))).toEqual([404, "keypair_not_found"]);
    expect(answer(await strict.ask("DELETE", path, { namespace }))).toEqual([404, "keypair_not_found"]);
    expect(answer(await strict.ask("PUT", `${REPO}/root/rotate`, { namespace }))).toEqual([412, "role_key_not_found"]);
    await strict.app.close();
  });
});

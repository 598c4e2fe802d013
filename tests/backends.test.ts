import { createHash, randomUUID } from "node:crypto";
import { once } from "node:events";
import http from "node:http";
import type { AddressInfo } from "node:net";
import { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import type { FastifyInstance } from "fastify";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type Actor, SYSTEM } from "#lib/authz/actor.ts";
import { type BackendCtx, createBackends } from "#lib/backends/backends.ts";
import { loadConfig } from "#lib/config/load.ts";
import { ListImages } from "#lib/contracts/console/images.ts";
import { deleteImage } from "#services/catalog/service.ts";
import { renameDevice } from "#services/fleet/service.ts";
import { addRepo, deletePrivateKey, describeKeys, ensureRepo } from "#services/keyserver/service.ts";
import { createServices } from "#services/main.ts";
import { createTestCtx } from "#tests/harness/ctx.ts";
import { createTestDatabase, type TestDatabase } from "#tests/harness/database.ts";

/* The clients of lib/backends against the embedded services over a real socket: both sides keep one contract. */

const TOKEN = "t".repeat(40);
let database: TestDatabase;
let services: FastifyInstance;
let ctx: BackendCtx;
let uuid: string;

beforeAll(async () => {
  database = await createTestDatabase();
  const plain = createTestCtx(database.url);
  await ensureRepo(plain, "director");
  services = createServices(plain, TOKEN);
  await services.listen({ host: "127.0.0.1", port: 0 });
  ctx = { ...plain, backends: connect((services.server.address() as AddressInfo).port) };
});
afterAll(async () => {
  ctx.backends.close();
  await services.close();
  await ctx.db.$disconnect();
  await database.drop();
});
beforeEach(async () => {
  uuid = randomUUID();
  await ctx.backends.registry.createDevice(ctx, device());
});

function connect(port: number, env: Record<string, string> = {}) {
  const { config, secrets } = loadConfig("supervisor", { SERVICES_PORT: String(port), SERVICES_TOKEN: TOKEN, ...env });
  return createBackends(config, secrets);
}
const device = () => ({ uuid, deviceName: `name ${uuid}`, deviceId: `id ${uuid}`, credentials: "PEM" });
const fleetName = async () => (await ctx.db.fleetDevice.findFirst({ where: { uuid } }))?.name;

describe("the keyserver's client", () => {
  it("says that targets can be signed until their key is deleted, and never for another namespace's", async () => {
    const { repoId } = await addRepo(ctx, "standalone");
    expect(await ctx.backends.keyserver.hasTargetsKeys(ctx, repoId)).toBe(true);
    expect(await ctx.backends.keyserver.hasTargetsKeys({ ...ctx, namespaceId: "west" }, repoId)).toBe(false);
    const { roles } = await describeKeys(ctx, repoId);
    const targets = roles.find(({ role }) => role === "targets");
    await deletePrivateKey(ctx, repoId, targets?.keys[0]?.keyId ?? "");
    expect(await ctx.backends.keyserver.hasTargetsKeys(ctx, repoId)).toBe(false);
  });
});

describe("the registry's client", () => {
  it("makes a device once, with or without credentials, however often it is asked", async () => {
    const { credentials: _, ...bare } = device();
    await ctx.backends.registry.createDevice(ctx, device());
    await ctx.backends.registry.createDevice(ctx, bare);
    expect(await ctx.db.registryDevice.count({ where: { uuid } })).toBe(1);
  });

  it("says device.conflict when name or id belong to another device", async () => {
    const other = { uuid: randomUUID(), deviceName: "free", deviceId: "free" };
    for (const taken of [{ deviceName: device().deviceName }, { deviceId: device().deviceId }]) {
      for (const credentials of [{}, { credentials: "PEM" }]) {
        const made = ctx.backends.registry.createDevice(ctx, { ...other, ...taken, ...credentials });
        await expect(made).rejects.toMatchObject({ code: "device.conflict" });
      }
    }
  });

  it("takes deleting what is gone as done, and finds nothing of it", async () => {
    await ctx.backends.registry.deleteDevice(ctx, uuid);
    await ctx.backends.registry.deleteDevice(ctx, uuid);
    for (const read of [
      () => ctx.backends.registry.getSystemInfo(ctx, uuid),
      () => ctx.backends.registry.getNetwork(ctx, uuid),
      () => ctx.backends.registry.listPackages(ctx, { uuid }),
      () => ctx.backends.registry.renameDevice(ctx, { uuid, name: "x" }),
    ]) {
      await expect(read()).rejects.toMatchObject({ code: "device.not_found" });
    }
  });

  it("reads what a device that sent nothing has: nothing", async () => {
    expect(await ctx.backends.registry.getSystemInfo(ctx, uuid)).toEqual({});
    expect(await ctx.backends.registry.getNetwork(ctx, uuid)).toBeNull();
    expect(await ctx.backends.registry.listPackages(ctx, { uuid })).toEqual({ packages: [], total: 0 });
  });
});

describe("renaming a device", () => {
  const outcomes = async () => {
    const rows = await ctx.db.auditEntry.findMany({ where: { targetId: uuid }, orderBy: { sequence: "asc" } });
    return rows.map(({ action, outcome }) => `${action} ${outcome}`);
  };

  it("goes through the registry, is audited as requested and done, and shows at once", async () => {
    expect(await renameDevice(ctx, SYSTEM, { uuid, name: "new name" })).toMatchObject({ name: "new name" });
    expect(await fleetName()).toBe("new name");
    expect(await outcomes()).toEqual(["device.rename requested", "device.rename done"]);
  });

  it("to a name that is taken is refused, and the audit log says so", async () => {
    const mine = uuid;
    uuid = randomUUID();
    await ctx.backends.registry.createDevice(ctx, device());
    const rename = renameDevice(ctx, SYSTEM, { uuid, name: `name ${mine}` });
    await expect(rename).rejects.toMatchObject({ code: "device.conflict" });
    expect(await fleetName()).toBe(`name ${uuid}`);
    expect(await outcomes()).toEqual(["device.rename requested", "device.rename refused"]);
  });

  it("while the registry is down leaves its outcome unknown", async () => {
    const dead = { ...ctx, backends: connect(1) };
    const rename = renameDevice(dead, SYSTEM, { uuid, name: "lost" });
    await expect(rename).rejects.toMatchObject({ code: "backend.unreachable" });
    expect(await outcomes()).toEqual(["device.rename requested", "device.rename unknown"]);
  });

  it("needs the permission, and a device of this namespace", async () => {
    const support: Actor = { kind: "user", id: "u", name: "s", role: "support", sessionId: "s", address: null };
    const refused = renameDevice(ctx, support, { uuid, name: "x" });
    await expect(refused).rejects.toMatchObject({ code: "auth.forbidden" });
    const foreign = renameDevice({ ...ctx, namespaceId: "other" }, SYSTEM, { uuid, name: "x" });
    await expect(foreign).rejects.toMatchObject({ code: "device.not_found" });
    expect(await outcomes()).toEqual([]);
  });
});

describe("the image repository's client", () => {
  const image = (filename: string, content: string) => ({
    filename,
    name: "app",
    version: "1",
    hardwareIds: ["rpi4"],
    body: Readable.from([Buffer.from(content)]),
  });

  it("uploads, lists, reads, verifies and deletes", async () => {
    const { reposerver } = ctx.backends;
    await reposerver.uploadImage(ctx, image("dir_a/app_1", "content"));
    const sha256 = createHash("sha256").update("content").digest("hex");
    expect(await reposerver.getImage(ctx, "dir_a/app_1")).toMatchObject({ sha256, length: 7, hardwareIds: ["rpi4"] });
    expect((await reposerver.listImages(ctx, ListImages.parse({ q: "app_1" }))).total).toBe(1);
    const { status, body } = await reposerver.openImage(ctx, "dir_a/app_1");
    expect([status, await text(body)]).toEqual([200, "content"]);
    expect(await reposerver.readMetadata(ctx, "9.root.json")).toBeNull();
    await reposerver.deleteImage(ctx, "dir_a/app_1");
    await expect(reposerver.getImage(ctx, "dir_a/app_1")).rejects.toMatchObject({ code: "image.not_found" });
    await expect(reposerver.deleteImage(ctx, "dir_a/app_1")).rejects.toMatchObject({ code: "image.not_found" });
  });

  it("says image.exists, image.invalid and image.in_use", async () => {
    const { reposerver } = ctx.backends;
    await reposerver.uploadImage(ctx, image("app_2", "one"));
    await expect(reposerver.uploadImage(ctx, image("app_2", "two"))).rejects.toMatchObject({ code: "image.exists" });
    await expect(reposerver.uploadImage(ctx, image("äpp", "x"))).rejects.toMatchObject({ code: "image.invalid" });
    const wrong = { ...image("app_3", "one"), sha256: "0".repeat(64) };
    await expect(reposerver.uploadImage(ctx, wrong)).rejects.toMatchObject({ code: "image.invalid" });
    await ctx.db.fleetDevice.updateMany({ where: { uuid }, data: { assignedFilenames: ["app_2"] } });
    await expect(reposerver.deleteImage(ctx, "app_2")).rejects.toMatchObject({ code: "image.in_use" });
  });

  it("leaves nothing of an upload whose source broke", async () => {
    const body = Readable.from(
      (async function* () {
        yield Buffer.alloc(100_000);
        throw new Error("the browser went away");
      })(),
    );
    const upload = ctx.backends.reposerver.uploadImage(ctx, { ...image("app_4", ""), body });
    await expect(upload).rejects.toThrow("the browser went away");
    await expect(ctx.backends.reposerver.getImage(ctx, "app_4")).rejects.toMatchObject({ code: "image.not_found" });
  });

  it("reads a repository that is no Gatehouse from its signed targets, not checked", async () => {
    const { reposerver } = ctx.backends;
    await reposerver.uploadImage(ctx, image("app_5", "five"));
    await reposerver.uploadImage(ctx, image("app_6", "six"));
    const port = (services.server.address() as AddressInfo).port;
    const classic = await hideExtensions(port);
    const external = connect(port, { REPOSERVER_URL: classic.url, BACKEND_TOKEN: TOKEN }).reposerver;
    const first = await external.listImages(ctx, ListImages.parse({ limit: 1, sort: "filename", q: "app_" }));
    expect(first.data[0]).toMatchObject({ verification: { state: "not_checked", checks: [] } });
    const names = [first.data[0]?.filename];
    for (let cursor = first.nextCursor; cursor !== null; ) {
      const page = await external.listImages(ctx, ListImages.parse({ limit: 1, sort: "filename", q: "app_", cursor }));
      names.push(page.data[0]?.filename);
      cursor = page.nextCursor;
    }
    expect(names).toEqual(names.toSorted());
    expect(names).toHaveLength(first.total);
    await expect(external.getImage(ctx, "nothing")).rejects.toMatchObject({ code: "image.not_found" });
    classic.close();
  });

  it("is not asked to delete what this install has assigned, when it is somebody else's", async () => {
    await ctx.backends.reposerver.uploadImage(ctx, image("app_8", "eight"));
    const port = (services.server.address() as AddressInfo).port;
    const REPOSERVER_URL = `http://127.0.0.1:${port}`;
    const external = connect(port, { REPOSERVER_URL, BACKEND_TOKEN: TOKEN });
    const ours = { ...ctx, config: { ...ctx.config, REPOSERVER_URL }, backends: external };
    const assign = (filenames: string[]) =>
      ctx.db.fleetDevice.updateMany({ where: { uuid }, data: { assignedFilenames: filenames } });
    const asked = () => ctx.db.auditEntry.count({ where: { action: "image.delete" } });
    await assign(["app_8"]);
    await expect(deleteImage(ours, SYSTEM, "app_8")).rejects.toMatchObject({ code: "image.in_use" });
    expect(await asked()).toBe(0);
    await assign([]);
    await deleteImage(ours, SYSTEM, "app_8");
    expect(await asked()).toBe(2);
    external.close();
  });

  it("reads another Gatehouse's repository with its pages and takes uploads in parts", async () => {
    await ctx.backends.reposerver.uploadImage(ctx, image("app_7", "seven"));
    const port = (services.server.address() as AddressInfo).port;
    const external = connect(port, { REPOSERVER_URL: `http://127.0.0.1:${port}`, BACKEND_TOKEN: TOKEN });
    expect(await external.reposerver.getImage(ctx, "app_7")).toMatchObject({ verification: { state: "verified" } });
    const { capabilities } = await external.inspect(ctx, "reposerver");
    const lacks = capabilities?.filter(({ isAvailable }) => !isAvailable).map(({ name }) => name);
    expect(lacks).toEqual(["targets_key_export"]);
  });
});

/** The same services as somebody else's: without our extensions, and without saying what they are. */
async function hideExtensions(port: number): Promise<{ url: string; close(): void }> {
  const server = http.createServer((req, res) => {
    if (req.url === "/health/version" || req.url?.includes("/gatehouse/")) {
      res.writeHead(404).end("The requested resource could not be found.");
      return;
    }
    const { method, headers, url } = req;
    const asked = http.request({ port, host: "127.0.0.1", method, path: url, headers }, (reply) => {
      res.writeHead(reply.statusCode ?? 502, reply.headers);
      reply.pipe(res);
    });
    req.pipe(asked);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}

describe("the director's client", () => {
  const ref = (filename: string) => ({ filename, sha256: "a".repeat(64), length: 10 });
  const correlationId = () => `urn:here-ota:mtu:${randomUUID()}`;

  it("makes a target list, and says why a device is not affected", async () => {
    const mtuId = await ctx.backends.director.createMtu(ctx, { rpi4: { from: null, to: ref("app_2") } });
    const answer = await ctx.backends.director.assign(ctx, { correlationId: correlationId(), devices: [uuid], mtuId });
    expect(answer.affected).toEqual([]);
    const [reason] = Object.values(answer.notAffected[uuid] ?? {});
    expect(reason?.code).toBe("device_no_compatible_hardware");
  });

  it("says update.invalid for targets that no device would take", async () => {
    const made = ctx.backends.director.createMtu(ctx, { rpi4: { from: null, to: ref("äpp") } });
    await expect(made).rejects.toMatchObject({ code: "update.invalid" });
  });

  it("cancels nothing where nothing is, and reads an empty queue", async () => {
    expect(await ctx.backends.director.cancel(ctx, { devices: [uuid], correlationId: correlationId() })).toEqual([]);
    expect(await ctx.backends.director.listAssignments(ctx, uuid)).toEqual([]);
    const manifest = ctx.backends.director.getManifest(ctx, { deviceUuid: uuid, sha256: "0".repeat(64) });
    await expect(manifest).rejects.toMatchObject({ code: "device.not_found" });
  });
});

describe("the director's lists", () => {
  it("digest what each device runs and is to run, so that it changes with either and with nothing else", async () => {
    const { db, namespaceId } = ctx;
    const others = Array.from({ length: 60 }, () => randomUUID());
    const digests = async () => {
      const found = await ctx.backends.director.digestDevices(ctx, [...others, uuid]);
      expect(new Set(others.map((other) => found?.get(other))).size).toBe(1);
      return found?.get(uuid);
    };
    const ecu = {
      deviceUuid: uuid,
      serial: "P",
      namespaceId,
      hardwareId: "rpi4",
      keyType: "ED25519",
      publicValue: "00",
    };
    await db.directorDevice.create({ data: { uuid, namespaceId, primarySerial: "P", registeredAt: new Date() } });
    const seen = [await digests()];
    const installed = { installedFilename: "app_1", installedSha256: "1".repeat(64), installedLength: 1 };
    await db.directorEcu.create({ data: { ...ecu, primary: true, ...installed } });
    seen.push(await digests());
    const target = { targetFilename: "app_2", targetSha256: "2".repeat(64), targetLength: 1 };
    const assigned = {
      deviceUuid: uuid,
      ecuSerial: "P",
      namespaceId,
      correlationId: `urn:here-ota:mtu:${randomUUID()}`,
      ...target,
    };
    await db.directorAssignment.create({ data: assigned });
    seen.push(await digests());
    expect(new Set(seen).size).toBe(3);
    expect(await digests()).toBe(seen[2]);
  });
});

describe("the back ends' health", () => {
  it("names each with its latency, and the dead with its error", async () => {
    expect((await ctx.backends.probe(ctx)).map(({ name, ok }) => `${name} ${ok}`)).toEqual([
      "device registry true",
      "director true",
      "image repository true",
    ]);
    const [dead] = await connect(1).probe(ctx);
    expect(dead).toMatchObject({ ok: false, latencyMs: null });
  });

  it("is asked of the embedded services with our token, of external ones never", async () => {
    const port = (services.server.address() as AddressInfo).port;
    const external = connect(port, { DIRECTOR_URL: `http://127.0.0.1:${port}` });
    const refused = external.director.listAssignments(ctx, uuid);
    await expect(refused).rejects.toMatchObject({ code: "backend.refused", context: { status: 401 } });
    await expect(external.registry.getSystemInfo(ctx, uuid)).resolves.toEqual({});
  });

  it("is kept by re-signing what ends soon", async () => {
    await expect(ctx.backends.maintain(ctx)).resolves.toBeUndefined();
  });

  it("includes that an uploaded image is assigned to the ECUs that wait for its name, once", async () => {
    const { db, namespaceId } = ctx;
    const ecu = {
      deviceUuid: uuid,
      serial: "P",
      namespaceId,
      hardwareId: "rpi4",
      keyType: "ED25519",
      publicValue: "00",
    };
    await db.directorDevice.create({ data: { uuid, namespaceId, primarySerial: "P", registeredAt: new Date() } });
    await db.directorEcu.create({ data: { ...ecu, primary: true } });
    const definition = { id: randomUUID(), namespaceId, deviceUuid: uuid, ecuSerial: "P", targetName: "waited-for" };
    await db.directorAutoUpdate.create({ data: definition });
    const uploaded = { filename: "waited-for-1", name: "waited-for", version: "1", hardwareIds: ["rpi4"] };
    for (const content of ["content", "content"]) {
      await ctx.backends.reposerver.uploadImage(ctx, { ...uploaded, body: Readable.from([Buffer.from(content)]) });
    }
    expect(await db.imageAdded.count({ where: { name: "waited-for" } })).toBe(1);
    await ctx.backends.runDue(ctx);
    expect(await db.directorAssignment.findMany({ where: { deviceUuid: uuid } })).toMatchObject([
      { targetFilename: "waited-for-1", correlationId: `urn:here-ota:auto-update:${definition.id}` },
    ]);
    expect(await db.imageAdded.count()).toBe(0);
  });
});

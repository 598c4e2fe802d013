import { createHash, randomBytes, randomUUID } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Readable } from "node:stream";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createBackends } from "#lib/backends/backends.ts";
import { openBlobs } from "#lib/blobs/open.ts";
import type { BlobStore } from "#lib/blobs/store.ts";
import { loadConfig } from "#lib/config/load.ts";
import { createOtaServer } from "#lib/http/server.ts";
import { assignAddedImages, startDueUpdates } from "#services/director/service.ts";
import { registerImageRepoRoutes } from "#services/image-repo/routes.ts";
import { ownRepository } from "#services/image-repo/service.ts";
import { createImageChecks, httpRepository } from "#services/verification/service.ts";
import { direct, enrol, makeMtu, type Reply, startDirector, type TestDevice, type TestDirector } from "./harness.ts";

/* What is refused before any device is told: images nobody has looked at, and assignments nobody could sign. */

const TOKEN = "t".repeat(43);
let director: TestDirector;
let repository: ReturnType<typeof createOtaServer>;
beforeAll(async () => {
  director = await startDirector();
  repository = createOtaServer({ ctx: director.ctx, servicesToken: TOKEN });
  registerImageRepoRoutes(repository, { blobs: openBlobs(director.ctx.config) });
});
afterAll(async () => {
  await repository.close();
  await director.stop();
});

type Image = { filepath: string; sha256: string; length: number };

/** Listed, and never looked at: as after a crash between the upload and its check. */
async function upload(name = "app"): Promise<Image> {
  const bytes = randomBytes(20_000);
  const filepath = `${name}_${randomUUID()}`;
  const made = await repository.inject({
    method: "PUT",
    url: `/api/v1/user_repo/targets/${filepath}?name=${name}&version=1&hardwareIds=rpi4`,
    headers: { authorization: `Bearer ${TOKEN}`, "content-type": "application/octet-stream" },
    payload: bytes,
  });
  if (made.statusCode >= 300) throw new Error(`${made.statusCode} ${made.body}`);
  await director.ctx.db.imageVerification.deleteMany({ where: { filename: filepath } });
  return { filepath, sha256: createHash("sha256").update(bytes).digest("hex"), length: bytes.length };
}

/** @returns the digest that is stored from now on */
function flipByte({ sha256 }: Image): string {
  const path = join(director.ctx.config.DATA_DIR, "blobs", sha256.slice(0, 2), sha256);
  const bytes = readFileSync(path);
  bytes[1_000] = (bytes[1_000] ?? 0) ^ 1;
  writeFileSync(path, bytes);
  return createHash("sha256").update(bytes).digest("hex");
}

const targetsOf = ({ filepath, sha256, length }: Image) => ({
  rpi4: { to: { target: filepath, checksum: { method: "sha256", hash: sha256 }, targetLength: length } },
});

type Form = (device: TestDevice, image: Image, to?: TestDirector) => Promise<Reply>;
const assignment: Form = async ({ uuid }, image, to = director) => {
  const mtuId = await makeMtu(to, { rpi4: { to: image } });
  const body = { correlationId: `urn:here-ota:mtu:${randomUUID()}`, mtuId, devices: [uuid] };
  return to.ask("POST", "/api/v1/assignments", { body });
};
const FORMS: Record<string, Form> = {
  "POST /assignments": assignment,
  "PUT /admin/devices/{id}/multi_target_update/{mtu}": async ({ uuid }, image) => {
    const mtuId = await makeMtu(director, { rpi4: { to: image } });
    return director.ask("PUT", `/api/v1/admin/devices/${uuid}/multi_target_update/${mtuId}`);
  },
  "POST /updates/devices/{id}": ({ uuid }, image) =>
    director.ask("POST", `/api/v1/updates/devices/${uuid}`, { body: { targets: targetsOf(image) } }),
  "POST /updates/devices": ({ uuid }, image) =>
    director.ask("POST", "/api/v1/updates/devices", { body: { targets: targetsOf(image), devices: [uuid] } }),
};
const openOf = ({ uuid }: TestDevice) => director.ctx.db.directorAssignment.count({ where: { deviceUuid: uuid } });
const statusOf = async (device: TestDevice) =>
  (await director.ctx.db.directorUpdateDevice.findFirstOrThrow({ where: { deviceUuid: device.uuid } })).status;

describe("an image that nobody has looked at", () => {
  for (const [name, form] of Object.entries(FORMS)) {
    it(`is looked at before ${name} assigns it: damaged, it is refused with both digests`, async () => {
      const device = await enrol(director);
      const damaged = await upload();
      const stored = flipByte(damaged);
      const reply = await form(device, damaged);
      const said = JSON.stringify(reply.json);
      const isList = name === "POST /updates/devices";
      expect([reply.status, said.includes("image_verification_failed")]).toEqual([isList ? 200 : 400, true]);
      expect([said.includes(damaged.sha256), said.includes(stored), await openOf(device)]).toEqual([true, true, 0]);
      expect((await form(device, await upload())).status).toBeLessThan(300);
      expect(await openOf(device)).toBe(1);
    });
  }

  it("is looked at when its time comes, and cancelled or assigned then", async () => {
    const [one, two] = [await enrol(director), await enrol(director)];
    const [damaged, good] = [await upload(), await upload()];
    const scheduledFor = new Date(director.clock.now.getTime() + 60_000).toISOString();
    for (const [device, image] of [[one, damaged] as const, [two, good] as const]) {
      const body = { targets: targetsOf(image), scheduledFor };
      expect((await director.ask("POST", `/api/v1/updates/devices/${device.uuid}`, { body })).status).toBe(200);
    }
    flipByte(damaged);
    director.clock.advance(3_600_000);
    await startDueUpdates(director.ctx);
    expect([await statusOf(one), await statusOf(two)]).toEqual(["Cancelled", "Assigned"]);
  });

  it("is looked at before devices that wait for its name get it", async () => {
    const device = await enrol(director);
    const path = `/api/v1/admin/devices/${device.uuid}/ecus/${device.primary.serial}/auto_update/waited`;
    await director.ask("PUT", path);
    flipByte(await upload("waited"));
    await assignAddedImages(director.ctx);
    expect([await openOf(device), await director.ctx.db.imageAdded.count()]).toEqual([0, 0]);
    await upload("waited");
    await assignAddedImages(director.ctx);
    expect(await openOf(device)).toBe(1);
  });

  it("is looked at over its contract when the image repository is another server's", async () => {
    const url = await repository.listen({ host: "127.0.0.1", port: 0 });
    const { config, secrets } = loadConfig("supervisor", {
      REPOSERVER_URL: url,
      BACKEND_TOKEN: TOKEN,
      SERVICES_TOKEN: TOKEN,
    });
    const backends = createBackends(config, secrets);
    const apart = direct({ ...director.ctx, config }, director.clock, createImageChecks(httpRepository(backends)));
    const device = await enrol(director);
    const damaged = await upload();
    flipByte(damaged);
    const reply = await assignment(device, damaged, apart);
    expect([reply.status, JSON.stringify(reply.json).includes("image_verification_failed")]).toEqual([400, true]);
    expect((await assignment(device, await upload(), apart)).status).toBe(201);
    const nowhere = { filepath: "never-uploaded", sha256: "a".repeat(64), length: 5 };
    expect((await assignment(await enrol(director), nowhere, apart)).status).toBe(201);
    await apart.app.close();
    backends.close();
  });

  it("keeps nobody waiting: the caller is told to ask again, and finds it done", async () => {
    const device = await enrol(director);
    const image = await upload();
    const gate = Promise.withResolvers<void>();
    const blobs = openBlobs(director.ctx.config);
    const slow: BlobStore = {
      ...blobs,
      open: async (key, range) => {
        const opened = await blobs.open(key, range);
        return opened === null ? null : { ...opened, stream: Readable.from(after(gate.promise, opened.stream)) };
      },
    };
    const checkImages = createImageChecks(ownRepository(slow), { withinMs: 1 });
    const impatient = direct(director.ctx, director.clock, checkImages);
    const first = await assignment(device, image, impatient);
    expect(first).toMatchObject({
      status: 503,
      json: { code: "image_being_checked" },
      headers: { "retry-after": "10" },
    });
    gate.resolve();
    await expect.poll(async () => (await assignment(device, image, impatient)).status).toBe(201);
    await impatient.app.close();
  });
});

async function* after(gate: Promise<void>, stream: Readable): AsyncGenerator<Buffer> {
  await gate;
  yield* stream;
}

describe("while a key that devices need is offline", () => {
  it("nothing is assigned by any form, a dry run still answers, and a rotation mends it", async () => {
    const [device, waiting] = [await enrol(director), await enrol(director)];
    const image = await upload();
    const scheduledFor = new Date(director.clock.now.getTime() + 60_000).toISOString();
    const later = { body: { targets: targetsOf(image), scheduledFor } };
    expect((await director.ask("POST", `/api/v1/updates/devices/${waiting.uuid}`, later)).status).toBe(200);
    const keys = (await director.ask("GET", "/api/v1/admin/repo/gatehouse/keys")).json as {
      roles: { role: string; keys: { keyId: string }[] }[];
    };
    const keyId = keys.roles.find(({ role }) => role === "targets")?.keys[0]?.keyId;
    await director.ask("DELETE", `/api/v1/admin/repo/private_keys/${keyId}`);
    for (const [name, form] of Object.entries(FORMS)) {
      const reply = await form(device, image);
      expect([reply.status, (reply.json as { code: string }).code], name).toEqual([412, "role_key_not_found"]);
    }
    const mtuId = await makeMtu(director, { rpi4: { to: image } });
    const dry = { correlationId: `urn:here-ota:mtu:${mtuId}`, mtuId, devices: [device.uuid], dryRun: true };
    expect(await director.ask("POST", "/api/v1/assignments", { body: dry })).toMatchObject({
      status: 200,
      json: [device.uuid],
    });
    director.clock.advance(120_000);
    await startDueUpdates(director.ctx);
    expect([await statusOf(waiting), await openOf(device)]).toEqual(["Cancelled", 0]);
    expect((await director.ask("PUT", "/api/v1/admin/repo/root/rotate")).status).toBe(200);
    expect((await assignment(device, image)).status).toBe(201);
  });
});

import { createHash, randomUUID } from "node:crypto";
import type { FastifyInstance } from "fastify";
import { openBlobs } from "#lib/blobs/open.ts";
import type { Ctx } from "#lib/ctx.ts";
import { createOtaServer } from "#lib/http/server.ts";
import type { JsonObject } from "#lib/uptane/json.ts";
import { asDeviceSigner, generateKeyPair, type KeyType, type Signer, signerFromPrivate } from "#lib/uptane/keys.ts";
import { buildEcuManifest, buildManifest, type InstallationReport, type InstalledImage } from "#lib/uptane/manifest.ts";
import type { Targets } from "#lib/uptane/roles.ts";
import {
  mayReplaceDirectorTargets,
  type VerifiedDirectorTargets,
  verifyDirectorTargets,
  verifyInitialRoot,
} from "#lib/uptane/verify.ts";
import type { AssigningCtx } from "#services/director/assignable.ts";
import { registerDirectorRoutes } from "#services/director/routes.ts";
import { upsertDevice } from "#services/fleet/service.ts";
import { ownRepository } from "#services/image-repo/service.ts";
import { ensureRepo } from "#services/keyserver/service.ts";
import { createImageChecks } from "#services/verification/service.ts";
import { createTestClock, createTestCtx, type TestClock } from "#tests/harness/ctx.ts";
import { createTestDatabase } from "#tests/harness/database.ts";

const TOKEN = "t".repeat(43);
export const FACTORY: InstalledImage = {
  filepath: "unknown",
  sha256: createHash("sha256").digest("hex"),
  length: 0,
};

export type Reply = { status: number; json: unknown; bytes: Buffer; headers: Readonly<Record<string, unknown>> };
type Ask = { body?: unknown; headers?: Record<string, string>; namespace?: string };

/** A director of its own: real routes, real database, a clock to turn. */
export type TestDirector = {
  readonly ctx: AssigningCtx;
  readonly clock: TestClock;
  readonly app: FastifyInstance;
  ask(method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE", path: string, ask?: Ask): Promise<Reply>;
  /** A second services process on the same database. */
  second(): TestDirector;
  stop(): Promise<void>;
};

export async function startDirector(options: { repo?: boolean } = {}): Promise<TestDirector> {
  const database = await createTestDatabase();
  const clock = createTestClock(new Date("2026-03-01T10:00:00.000Z"));
  const ctx = createTestCtx(database.url, { clock });
  if (options.repo !== false) await ensureRepo(ctx, "director");
  const others: TestDirector[] = [];
  const director = direct(ctx, clock);
  return {
    ...director,
    second() {
      const other = direct(createTestCtx(database.url, { clock, like: ctx }), clock);
      others.push(other);
      return other;
    },
    async stop() {
      for (const { app, ctx: own } of [director, ...others]) {
        await app.close();
        await own.db.$disconnect();
      }
      await database.drop();
    },
  };
}

/** Routes on a given context, for tests that bring their own client. */
export function direct(
  ctx: Ctx,
  clock: TestClock,
  checkImages = createImageChecks(ownRepository(openBlobs(ctx.config))),
): TestDirector {
  const app = createOtaServer({ ctx, servicesToken: TOKEN });
  app.register(registerDirectorRoutes, { checkImages });
  return {
    ctx: { ...ctx, checkImages },
    clock,
    app,
    async ask(method, path, { body, headers, namespace } = {}) {
      const sent = body === undefined ? {} : { payload: Buffer.isBuffer(body) ? body : JSON.stringify(body) };
      const reply = await app.inject({
        method,
        url: path,
        ...sent,
        headers: {
          authorization: `Bearer ${TOKEN}`,
          ...(body === undefined ? {} : { "content-type": "application/json" }),
          ...(namespace === undefined ? {} : { "x-ats-namespace": namespace }),
          ...headers,
        },
      });
      return { status: reply.statusCode, json: parsed(reply.body), bytes: reply.rawPayload, headers: reply.headers };
    },
    second: () => direct(ctx, clock),
    stop: async () => undefined,
  };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

export type TestEcu = { serial: string; hardwareId: string; signer: Signer; installed: InstalledImage };

export function makeEcu(hardwareId: string, keytype: KeyType = "ED25519"): TestEcu {
  const signer = asDeviceSigner(signerFromPrivate(keytype, generateKeyPair(keytype).privateKey));
  return { serial: signer.keyId, hardwareId, signer, installed: FACTORY };
}

/** A device as aktualizr behaves towards the director: it keeps the list it has fetched and never believes an unsigned word. */
export class TestDevice {
  readonly uuid = randomUUID();
  readonly director: TestDirector;
  ecus: TestEcu[];
  stored: VerifiedDirectorTargets | null = null;
  counter = 0;

  constructor(director: TestDirector, ...hardwareIds: string[]) {
    this.director = director;
    this.ecus = (hardwareIds.length === 0 ? ["rpi4"] : hardwareIds).map((id) => makeEcu(id));
  }

  get primary(): TestEcu {
    const [primary] = this.ecus;
    if (primary === undefined) throw new Error("no ECU");
    return primary;
  }

  ecu(index: number): TestEcu {
    const ecu = this.ecus[index];
    if (ecu === undefined) throw new Error("no such ECU");
    return ecu;
  }

  path(rest: string): string {
    return `/api/v1/device/${this.uuid}/${rest}`;
  }

  registration(): JsonObject {
    return {
      primary_ecu_serial: this.primary.serial,
      ecus: this.ecus.map(({ serial, hardwareId, signer }) => ({
        ecu_serial: serial,
        hardware_identifier: hardwareId,
        clientKey: { keytype: signer.publicKey.keytype, keyval: { public: signer.publicKey.keyval.public } },
      })),
    };
  }

  register(body: JsonObject = this.registration()): Promise<Reply> {
    return this.director.ask("POST", this.path("ecus"), { body });
  }

  manifest(report: InstallationReport | null = null): Buffer {
    this.counter += 1;
    const ecus = this.ecus.map((ecu, index) => [
      ecu.serial,
      buildEcuManifest(
        {
          serial: ecu.serial,
          installedImage: ecu.installed,
          ...(index === 0 ? { reportCounter: this.counter } : {}),
        },
        ecu.signer,
      ),
    ]);
    return buildManifest(
      { primarySerial: this.primary.serial, ecus: Object.fromEntries(ecus), report },
      this.primary.signer,
    );
  }

  report(report: InstallationReport | null = null): Promise<Reply> {
    return this.send(this.manifest(report));
  }

  send(body: Buffer): Promise<Reply> {
    return this.director.ask("PUT", this.path("manifest"), { body });
  }

  /** Fetches and verifies targets.json, and keeps it under the device's rules. @returns what was served */
  async fetch(): Promise<Targets> {
    const root = await this.director.ask("GET", this.path("1.root.json"));
    const served = await this.director.ask("GET", this.path("targets.json"));
    if (served.status !== 200) throw new Error(`targets.json: ${served.status}`);
    const verified = verifyDirectorTargets({
      bytes: served.bytes,
      root: verifyInitialRoot(root.bytes, 1),
      now: this.director.clock.now,
      storedVersion: this.stored?.signed.version,
    });
    if (mayReplaceDirectorTargets(this.stored?.signed ?? null, verified.signed)) this.stored = verified;
    return verified.signed;
  }

  /** The file that the list the device holds wants on its primary. */
  wants(): string | null {
    for (const target of this.stored?.signed.targets.values() ?? []) {
      if (target.ecuIdentifiers?.has(this.primary.serial)) return target.filename;
    }
    return null;
  }
}

/** A registered device with rows in registry and fleet, that has reported `image` on every ECU. */
export async function enrol(
  director: TestDirector,
  options: { hardwareIds?: string[]; image?: InstalledImage | null } = {},
): Promise<TestDevice> {
  const device = new TestDevice(director, ...(options.hardwareIds ?? []));
  const { ctx } = director;
  const createdAt = ctx.clock();
  await ctx.db.registryDevice.create({
    data: {
      uuid: device.uuid,
      namespaceId: ctx.namespaceId,
      deviceName: device.uuid,
      deviceId: device.uuid,
      deviceType: "Other",
      createdAt,
      status: "NotSeen",
      lastSeen: createdAt,
    },
  });
  await ctx.db.$transaction((tx) =>
    upsertDevice(tx, ctx.namespaceId, { uuid: device.uuid, name: device.uuid, deviceId: device.uuid, createdAt }),
  );
  const registered = await device.register();
  if (registered.status !== 201)
    throw new Error(`registration: ${registered.status} ${JSON.stringify(registered.json)}`);
  const image = options.image === undefined ? OLD : options.image;
  if (image !== null) {
    for (const ecu of device.ecus) ecu.installed = image;
    const reported = await device.report();
    if (reported.status !== 200) throw new Error(`manifest: ${reported.status} ${JSON.stringify(reported.json)}`);
  }
  return device;
}

export function image(name: string, length = 12): InstalledImage {
  return { filepath: name, sha256: createHash("sha256").update(name).digest("hex"), length };
}

export const OLD = image("app_1.0");
export const NEW = image("app_1.1");
export const OTHER = image("app_1.2");

export function toTarget(of: InstalledImage): JsonObject {
  return { target: of.filepath, checksum: { method: "sha256", hash: of.sha256 }, targetLength: of.length };
}

/** @param targets hardware id to what is wanted there */
export async function makeMtu(
  director: TestDirector,
  targets: Record<string, { from?: InstalledImage; to: InstalledImage }> = { rpi4: { to: NEW } },
): Promise<string> {
  const entries = Object.entries(targets).map(([hardwareId, { from, to }]) => [
    hardwareId,
    { ...(from === undefined ? {} : { from: toTarget(from) }), to: toTarget(to) },
  ]);
  const reply = await director.ask("POST", "/api/v1/multi_target_updates", {
    body: { targets: Object.fromEntries(entries) },
  });
  if (reply.status !== 201) throw new Error(`mtu: ${reply.status} ${JSON.stringify(reply.json)}`);
  return String(reply.json);
}

export type Assigned = { correlationId: string; mtuId: string; reply: Reply };

export async function assign(
  director: TestDirector,
  devices: readonly TestDevice[],
  targets?: Record<string, { from?: InstalledImage; to: InstalledImage }>,
): Promise<Assigned> {
  const mtuId = await makeMtu(director, targets);
  const correlationId = `urn:here-ota:mtu:${randomUUID()}`;
  const reply = await director.ask("POST", "/api/v1/assignments", {
    body: { correlationId, mtuId, devices: devices.map(({ uuid }) => uuid) },
  });
  return { correlationId, mtuId, reply };
}

export function reportOf(
  correlationId: string,
  result: { success: boolean; code: string; items?: Record<string, boolean> },
): InstallationReport {
  const { success, code } = result;
  return {
    correlationId,
    result: { success, code, description: success ? "" : "it did not work" },
    items: Object.entries(result.items ?? {}).map(([ecu, good]) => ({
      ecu,
      result: { success: good, code: good ? "OK" : code, description: "" },
    })),
    rawReport: "",
  };
}

/** What everybody else sees of the device. */
export async function seen(director: TestDirector, device: TestDevice) {
  const { db, namespaceId } = director.ctx;
  const fleet = await db.fleetDevice.findUniqueOrThrow({
    where: { namespaceId_uuid: { namespaceId, uuid: device.uuid } },
  });
  const registry = await db.registryDevice.findUniqueOrThrow({ where: { uuid: device.uuid } });
  const own = await db.directorDevice.findUniqueOrThrow({ where: { uuid: device.uuid } });
  const open = await db.directorAssignment.findMany({ where: { deviceUuid: device.uuid } });
  const processed = await db.directorProcessedAssignment.findMany({
    where: { deviceUuid: device.uuid },
    orderBy: { processedAt: "asc" },
  });
  const reports = await db.registryInstallationReport.findMany({ where: { deviceUuid: device.uuid } });
  return {
    fleet,
    registryStatus: registry.status,
    outdated: own.metadataOutdated,
    mayStillInstall: own.mayStillInstall,
    open,
    processed,
    reports: Object.fromEntries(reports.map((row) => [row.correlationId, row.resultCode])),
  };
}

/** A row of an update that follows the director, as a launch makes it. */
export async function trackUpdate(
  director: TestDirector,
  devices: readonly TestDevice[],
  correlationId: string,
): Promise<string> {
  const { db, namespaceId } = director.ctx;
  const { id } = await db.update.create({
    data: {
      id: correlationId.slice(-36),
      namespaceId,
      name: "update",
      targets: {},
      state: "running",
      correlationId,
      createdBy: { kind: "system" },
    },
  });
  await db.updateDevice.createMany({
    data: devices.map(({ uuid }) => ({ updateId: id, deviceUuid: uuid, namespaceId, state: "assigned" })),
  });
  return id;
}

export function updateDeviceOf(director: TestDirector, updateId: string, device: TestDevice) {
  return director.ctx.db.updateDevice.findUniqueOrThrow({
    where: { updateId_deviceUuid: { updateId, deviceUuid: device.uuid } },
  });
}

/** Until a statement of somebody waits for a lock that the caller holds. */
export async function untilSomebodyWaits(director: TestDirector): Promise<void> {
  const deadline = Date.now() + 10_000;
  while (Date.now() < deadline) {
    const [row] = await director.ctx.db.$queryRaw<{ waiting: bigint }[]>`
      SELECT count(*) AS waiting FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`;
    if ((row?.waiting ?? 0n) > 0n) return;
  }
  throw new Error("nobody waits for a lock");
}

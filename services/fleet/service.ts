import { type Actor, requirePermission } from "#lib/authz/actor.ts";
import type { BackendCtx } from "#lib/backends/backends.ts";
import type { CertificateState } from "#lib/contracts/console/certificates.ts";
import type { Page } from "#lib/contracts/console/common.ts";
import type { Activity, Device, DeviceFacets, ListDevices } from "#lib/contracts/console/devices.ts";
import type { Ctx } from "#lib/ctx.ts";
import type { Db, DbOrTx, Tx } from "#lib/db/client.ts";
import { publishEvent } from "#lib/db/events.ts";
import type { DeviceFacts } from "#lib/domain/eligibility.ts";
import { storableText } from "#lib/domain/storable-text.ts";
import type { DeviceProgress } from "#lib/domain/update-progress.ts";
import { toDevice, toEcus } from "./dto.ts";
import { ecuColumns, type FleetEcu } from "./ecus.ts";
import { advance, storyOf } from "./progress.ts";
import { renameAtRegistry } from "./rename.ts";
import * as reads from "./store-read.ts";
import * as store from "./store-write.ts";

export { listDeviceGroups, nameDeviceGroups } from "./device-groups.ts";
export type { FleetEcu } from "./ecus.ts";
export { forgetMenderDevices, showMenderAccepted, showMenderDevices } from "./mender.ts";
export { getHardware, getManifest } from "./reported.ts";
export { uuidsWithHardware } from "./store-filter.ts";
export { findMenderId, listUnlisted as listUnlistedMender, type MenderRow } from "./store-mender.ts";
export { findDeviceByOemId, findDeviceNames } from "./store-names.ts";
export type { FleetCounts } from "./store-read.ts";
export { findForSync, type SyncedRow } from "./store-sync.ts";

/** Makes the device's row, or renames it. `simulated` absent leaves the mark as it is. */
export async function upsertDevice(
  tx: Tx,
  namespaceId: string,
  device: { uuid: string; name: string; deviceId: string; createdAt: Date; simulated?: boolean },
): Promise<void> {
  await store.upsertRow(tx, namespaceId, { ...device, simulated: device.simulated ?? null });
  await announce(tx, namespaceId, [device.uuid]);
}

/** {@link upsertDevice} for many in one statement, of an external registry. */
export async function upsertDevices(
  tx: Tx,
  namespaceId: string,
  devices: readonly { uuid: string; name: string; deviceId: string; createdAt: Date }[],
): Promise<void> {
  const storable = devices.map(({ name, deviceId, ...device }) => ({
    ...device,
    name: storableText(name, LONGEST_NAME),
    deviceId: storableText(deviceId, LONGEST_NAME),
  }));
  await announce(tx, namespaceId, await store.upsertRows(tx, namespaceId, storable));
}

/**
 * Shows a device that was just made in an external registry, before the worker reads it there. The embedded registry writes its own rows,
 * and a row that it has deleted meanwhile must not come back: then this does nothing.
 */
export async function showNewDevice(
  tx: Tx,
  ctx: Ctx,
  device: { uuid: string; name: string; deviceId: string; simulated?: boolean },
): Promise<void> {
  if (ctx.config.DEVICE_REGISTRY_URL === undefined) return;
  const row = { ...device, simulated: device.simulated ?? false, createdAt: ctx.clock() };
  if (await store.insertRow(tx, ctx.namespaceId, row)) await announce(tx, ctx.namespaceId, [device.uuid]);
}

/** Forgets the device and its story; a device without a row is fine. */
export async function removeDevice(tx: Tx, namespaceId: string, uuid: string): Promise<void> {
  if (await store.deleteRow(tx, namespaceId, uuid)) await announce(tx, namespaceId, [uuid]);
}

/**
 * Shows what was decided about a certificate on its device's row. An allowed certificate is never hidden by the fate of
 * another one. The state `expired` is derived when read, never stored.
 */
export async function setCertificate(
  tx: Tx,
  namespaceId: string,
  certificate: {
    deviceUuid: string;
    fingerprint: string;
    state: CertificateState;
    notAfter: Date | null;
    simulated?: boolean;
  },
): Promise<void> {
  const row = { ...certificate, simulated: certificate.simulated ?? null };
  if (await store.updateCertificate(tx, namespaceId, row)) await announce(tx, namespaceId, [certificate.deviceUuid]);
}

/** What became of many certificates at once, shown on the devices that show them. */
export async function setCertificateStates(
  tx: Tx,
  namespaceId: string,
  change: { fingerprints: readonly string[]; uuids: readonly string[]; state: CertificateState },
): Promise<void> {
  await announce(tx, namespaceId, await store.updateCertificateStates(tx, namespaceId, change));
}

/** Replaces what is known of the device's ECUs: hardware, installed and assigned images. */
export async function setEcus(tx: Tx, namespaceId: string, uuid: string, ecus: readonly FleetEcu[]): Promise<void> {
  await setEcusMany(tx, namespaceId, [{ uuid, ecus }]);
}

/** {@link setEcus} for many devices in one statement. */
export async function setEcusMany(
  tx: Tx,
  namespaceId: string,
  devices: readonly { uuid: string; ecus: readonly FleetEcu[] }[],
): Promise<void> {
  if (devices.length === 0) return;
  const changed = await store.updateEcus(
    tx,
    namespaceId,
    devices.map((device) => ecuColumns(device.uuid, device.ecus)),
  );
  if (changed > 0)
    await announce(
      tx,
      namespaceId,
      devices.map((device) => device.uuid),
    );
}

/** Why the device's last ECU registration was refused; null once one was accepted. */
export async function setRegistrationRefusal(
  tx: Tx,
  namespaceId: string,
  uuid: string,
  code: string | null,
): Promise<void> {
  if (await store.updateRefusal(tx, namespaceId, uuid, code)) await announce(tx, namespaceId, [uuid]);
}

/**
 * Moves the device along its assignment and adds the step to its story. Late, repeated and foreign steps leave the status alone
 * (see README). Callers that also follow updates use `recordProgressEverywhere` of the rollouts area.
 */
export async function recordProgress(tx: Tx, namespaceId: string, step: DeviceProgress): Promise<void> {
  await recordProgressMany(tx, namespaceId, [step]);
}

/** {@link recordProgress} for many steps in a fixed number of statements; several steps of one device apply in their order. */
export async function recordProgressMany(tx: Tx, namespaceId: string, given: readonly DeviceProgress[]): Promise<void> {
  if (given.length === 0) return;
  const steps = given.map(storableStep);
  const rows = await store.lockProgress(tx, namespaceId, [...new Set(steps.map((step) => step.deviceUuid))]);
  const known = new Map(rows.map((row) => [row.uuid, row]));
  const changed = new Set<string>();
  const news = new Set<DeviceProgress>();
  for (const step of steps) {
    const row = known.get(step.deviceUuid);
    if (row === undefined) continue;
    const change = advance(row, step);
    if (Object.keys(change).length === 0) continue;
    known.set(step.deviceUuid, { ...row, ...change });
    changed.add(step.deviceUuid);
    news.add(step);
  }
  await store.updateProgress(
    tx,
    namespaceId,
    [...known.values()].filter((row) => changed.has(row.uuid)),
  );
  const isTold = (step: DeviceProgress) => (step.isReadAgain === true ? news.has(step) : known.has(step.deviceUuid));
  const told = steps.filter(isTold).flatMap(toStoryLine);
  await store.insertActivities(tx, namespaceId, told);
  const touched = new Set([...changed, ...told.map((line) => line.deviceUuid)]);
  await announce(tx, namespaceId, [...touched]);
}

/** Adds a line to the device's story, which keeps its last 500. */
export async function recordActivity(tx: Tx, namespaceId: string, line: ActivityLine): Promise<void> {
  await recordActivities(tx, namespaceId, [line]);
}

type ActivityLine = {
  deviceUuid: string;
  at: Date;
  kind: Activity["kind"];
  text: string;
  detail?: Readonly<Record<string, unknown>>;
};

/** {@link recordActivity} for many devices in one statement. */
export async function recordActivities(tx: Tx, namespaceId: string, lines: readonly ActivityLine[]): Promise<void> {
  if (lines.length === 0) return;
  await store.insertActivities(
    tx,
    namespaceId,
    lines.map((line) => ({ ...line, text: storableText(line.text), detail: storableDetail(line.detail) })),
  );
  await announce(
    tx,
    namespaceId,
    lines.map((line) => line.deviceUuid),
  );
}

/**
 * Remembers contacts seen at the door: one statement for any number, never back in time. It announces nothing, since a
 * busy fleet would have every page read again each second; pages show the age of what they know.
 */
export async function touchDevices(
  db: Db,
  namespaceId: string,
  seen: readonly { uuid: string; at: Date; address: string }[],
): Promise<void> {
  if (seen.length > 0) await store.updateSeen(db, namespaceId, seen);
}

/** The device asked the director for its root: its contact counts, and a device never seen before is up to date from now on. */
export async function recordContact(tx: Tx, namespaceId: string, uuid: string, at: Date): Promise<void> {
  if (!(await store.updateContact(tx, namespaceId, uuid, at))) return;
  await recordActivity(tx, namespaceId, { deviceUuid: uuid, at, kind: "connection", text: "First contact." });
}

/**
 * A page of the fleet under a filter. Nothing is lost or doubled by what changes meanwhile, except a row whose sort value
 * itself moves.
 *
 * @throws AppError `auth.forbidden` | `request.invalid` (a cursor that is not of this list and sort)
 */
export async function listDevices(ctx: Ctx, actor: Actor, query: ListDevices): Promise<Page<Device>> {
  requirePermission(actor, "device.read");
  const now = ctx.clock();
  const [{ rows, nextCursor }, counted] = await Promise.all([
    reads.listDeviceRows(ctx.db, ctx.namespaceId, { query, now }),
    reads.countDevices(ctx.db, ctx.namespaceId, { query, now }),
  ]);
  return { data: rows.map((row) => toDevice(row, now)), nextCursor, ...counted };
}

/** @throws AppError `auth.forbidden` | `device.not_found`, also for a device of another namespace */
export async function getDevice(ctx: Ctx, actor: Actor, uuid: string): Promise<Device> {
  requirePermission(actor, "device.read");
  const row = await reads.getDeviceRow(ctx.db, ctx.namespaceId, uuid);
  return toDevice(row, ctx.clock());
}

/** How many devices each choice of a facet would show. @throws AppError `auth.forbidden` */
export async function getFacets(ctx: Ctx, actor: Actor, query: ListDevices): Promise<DeviceFacets> {
  requirePermission(actor, "device.read");
  return reads.countFacets(ctx.db, ctx.namespaceId, { query, now: ctx.clock() });
}

/** The device's story, newest first. @throws AppError `auth.forbidden` | `device.not_found` | `request.invalid` */
export async function listActivity(
  ctx: Ctx,
  actor: Actor,
  of: { uuid: string; query: { limit: number; cursor?: string | undefined; q?: string | undefined } },
): Promise<Page<Activity>> {
  requirePermission(actor, "device.read");
  await reads.getDeviceRow(ctx.db, ctx.namespaceId, of.uuid);
  return reads.listActivityPage(ctx.db, { namespaceId: ctx.namespaceId, deviceUuid: of.uuid }, of.query);
}

/** The fleet in numbers, for the overview. `total` is the sum of `byStatus`. @throws AppError `auth.forbidden` */
export async function countFleet(ctx: Ctx, actor: Actor): Promise<reads.FleetCounts> {
  requirePermission(actor, "device.read");
  return reads.countFleetRows(ctx.db, ctx.namespaceId, ctx.clock());
}

/**
 * Renames the device in its registry, embedded or not: audited as requested, then called, then settled.
 *
 * @throws AppError `auth.forbidden` | `device.not_found` | `device.conflict` (the name is taken) | backend errors
 */
export async function renameDevice(
  ctx: BackendCtx,
  actor: Actor,
  rename: { uuid: string; name: string },
): Promise<Device> {
  requirePermission(actor, "device.rename");
  const row = await reads.getDeviceRow(ctx.db, ctx.namespaceId, rename.uuid);
  if (row.name !== rename.name) await renameAtRegistry(ctx, actor, { ...rename, before: row.name });
  return toDevice(await reads.getDeviceRow(ctx.db, ctx.namespaceId, rename.uuid), ctx.clock());
}

/** What `lib/domain/eligibility` judges by, for many devices in one query; a device the fleet does not know is absent. */
export async function listEligibilityFacts(
  db: DbOrTx,
  namespaceId: string,
  uuids: readonly string[],
): Promise<Map<string, DeviceFacts & { name: string }>> {
  const rows = await reads.readEligibility(db, namespaceId, uuids);
  return new Map(
    rows.map(({ uuid, name, certificateState, ecus }) => [uuid, { name, certificateState, ecus: toEcus(ecus) }]),
  );
}

/** On how many devices an image is assigned: an image in use is not deleted. */
export async function countAssigned(db: DbOrTx, namespaceId: string, filename: string): Promise<number> {
  const [uses] = await reads.countUses(db, namespaceId, [filename]);
  return uses?.assignedTo ?? 0;
}

/** For each file name: how many devices report it installed, and to how many it is assigned. */
export async function countImageUses(
  db: DbOrTx,
  namespaceId: string,
  filenames: readonly string[],
): Promise<Map<string, { installedOn: number; assignedTo: number }>> {
  const rows = await reads.countUses(db, namespaceId, filenames);
  return new Map(rows.map(({ filename, ...uses }) => [filename, uses]));
}

/** Longer ones than the contract allows can't be told apart by people, nor indexed. */
const LONGEST_NAME = 200;

async function announce(tx: Tx, namespaceId: string, uuids: readonly string[]): Promise<void> {
  if (uuids.length === 0) return;
  const [first = ""] = uuids;
  await publishEvent(tx, namespaceId, { topic: "device", subjectId: uuids.length === 1 ? first : "" });
}

function storableStep(step: DeviceProgress): DeviceProgress {
  return {
    ...step,
    ...(step.code === undefined ? {} : { code: storableText(step.code, 200) }),
    ...(step.text === undefined ? {} : { text: storableText(step.text) }),
    ...(step.filenames === undefined
      ? {}
      : { filenames: step.filenames.slice(0, 100).map((name) => storableText(name)) }),
  };
}

function toStoryLine(step: DeviceProgress): store.ActivityRow[] {
  const line = storyOf(step);
  if (line === null) return [];
  const detail = {
    ...(step.correlationId === null ? {} : { correlationId: step.correlationId }),
    ...(step.code === undefined ? {} : { code: step.code }),
    ...(step.filenames === undefined ? {} : { filenames: step.filenames }),
  };
  return [{ deviceUuid: step.deviceUuid, at: step.at, kind: line.kind, text: line.text, detail }];
}

/** Through JSON and back, with every string made storable. */
function storableDetail(detail: Readonly<Record<string, unknown>> | undefined): unknown {
  if (detail === undefined) return null;
  return JSON.parse(JSON.stringify(detail), (_key, value) => (typeof value === "string" ? storableText(value) : value));
}

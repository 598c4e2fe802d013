import type { Ctx } from "#lib/ctx.ts";
import type { Tx } from "#lib/db/client.ts";
import { AppError } from "#lib/errors/app-error.ts";
import { formatExpires } from "#lib/uptane/expiry.ts";
import type { JsonObject } from "#lib/uptane/json.ts";
import { buildDirectorTargets, buildSnapshot, buildTimestamp } from "#lib/uptane/metadata.ts";
import { signRole } from "#services/keyserver/service.ts";
import { announce } from "./announce.ts";
import { holdKeys, prepareSigning, type Signing } from "./repository.ts";
import { type AssignmentRow, listAssignments, markInFlight } from "./store-assignments.ts";
import { type DeviceRow, listEcus, lockOrCreateDevice, updateDevice } from "./store-devices.ts";
import { type DeviceRoleName, findServed, listRoles, type RoleRow, type ServedRole, saveRoles } from "./store-roles.ts";
import { EMPTY_LIST, listAssigned, listInstalled, signedPart, type TargetList } from "./targets.ts";
import { noteUpdatesSeen } from "./update-progress.ts";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** @see contracts/uptane-metadata.md section 11 */
const ON_CHANGE_MS = { targets: 31 * DAY_MS, snapshot: 31 * DAY_MS, timestamp: 31 * DAY_MS };
const ON_REFRESH_MS = { targets: 30 * DAY_MS, snapshot: 30 * DAY_MS, timestamp: DAY_MS };

/**
 * The bytes of one of the device's own roles, exactly as signed. An ordinary fetch is one statement and no signature. Made anew when
 * something changed, which marks every assignment as fetched; re-signed with the same content when less than an hour is left.
 *
 * A device that never registered gets metadata too, for its id.
 *
 * @throws AppError `ota.missing_entity` (the id of another namespace, or of a deleted device) | `ota.no_repo_for_namespace` |
 *   `keys.unsealable`
 * @see contracts/director.md section 4.2
 */
export async function getDeviceRole(ctx: Ctx, deviceUuid: string, role: DeviceRoleName): Promise<Uint8Array> {
  const of = { namespaceId: ctx.namespaceId, deviceUuid };
  const served = usable(await findServed(ctx.db, of, role), { role, now: ctx.clock(), leftMs: HOUR_MS });
  if (served === null) return renew(ctx, deviceUuid, { role, leftMs: HOUR_MS });
  if (role === "targets" && served.targetsFetchedVersion !== served.version) {
    await updateDevice(ctx.db, deviceUuid, { targetsFetchedVersion: served.version, targetsFetchedAt: ctx.clock() });
  }
  return served.bytes;
}

/** Re-signs what runs out within `leftMs`, without anybody fetching it. @throws as {@link getDeviceRole} */
export async function refreshRoles(ctx: Ctx, deviceUuid: string, leftMs: number): Promise<void> {
  const signing = await prepareSigning(ctx);
  await ctx.db.$transaction(async (tx) => {
    await holdKeys(tx, signing.repoId);
    const device = await lockLiving(tx, ctx, deviceUuid);
    if (!device.metadataOutdated) await refresh(tx, ctx, { signing, deviceUuid, leftMs });
  });
}

/**
 * Makes targets, snapshot and timestamp anew from the device's assignments, each version one higher. The caller holds the device's lock.
 *
 * @throws AppError `uptane.too_large` | `uptane.not_canonical`; assignments are checked so that neither happens here
 */
export async function makeRoles(
  tx: Tx,
  ctx: Ctx,
  of: { signing: Signing; device: DeviceRow },
): Promise<Map<DeviceRoleName, RoleRow>> {
  const { device } = of;
  const signing = { ...of.signing, db: tx };
  const current = await listRoles(tx, device.uuid);
  const assignments = await listAssignments(tx, ctx.namespaceId, [device.uuid]);
  const list = await listFor(tx, ctx, { device, assignments, previous: current.get("targets")?.bytes ?? null });
  const version = (current.get("targets")?.version ?? 0) + 1;
  const expires = new Date(ctx.clock().getTime() + ON_CHANGE_MS.targets);
  const targets = await sign(ctx, signing, {
    role: "targets",
    signed: buildDirectorTargets({ version, expires, ...list }),
    version,
    expires,
  });
  const made = await signAbove(ctx, { signing, current, targets, validForMs: ON_CHANGE_MS });
  await saveRoles(tx, { deviceUuid: device.uuid, at: ctx.clock() }, made);
  await updateDevice(tx, device.uuid, {
    metadataOutdated: false,
    // A list of assignments replaces whatever was withdrawn before it.
    ...(assignments.length > 0 ? { withdrawnCorrelationId: null } : {}),
  });
  return new Map(made.map((row) => [row.role, row]));
}

async function renew(
  ctx: Ctx,
  deviceUuid: string,
  wanted: { role: DeviceRoleName; leftMs: number },
): Promise<Uint8Array> {
  const signing = await prepareSigning(ctx);
  return ctx.db.$transaction(async (tx) => {
    await holdKeys(tx, signing.repoId);
    const device = await lockLiving(tx, ctx, deviceUuid);
    const roles = await renewLocked(tx, ctx, { signing, device, leftMs: wanted.leftMs });
    const row = roles.get(wanted.role);
    if (row === undefined) throw new TypeError(`no ${wanted.role} was made`);
    if (wanted.role === "targets") {
      await updateDevice(tx, deviceUuid, { targetsFetchedVersion: row.version, targetsFetchedAt: ctx.clock() });
    }
    return row.bytes;
  });
}

async function renewLocked(
  tx: Tx,
  ctx: Ctx,
  of: { signing: Signing; device: DeviceRow; leftMs: number },
): Promise<Map<DeviceRoleName, RoleRow>> {
  const { signing, device, leftMs } = of;
  const current = await listRoles(tx, device.uuid);
  // Two fetches at once: the second waited for the lock and finds the work done.
  if (current.has("targets") && !device.metadataOutdated) {
    return refresh(tx, ctx, { signing, deviceUuid: device.uuid, leftMs });
  }
  const made = await makeRoles(tx, ctx, { signing, device });
  const correlationIds = await markInFlight(tx, device.uuid);
  await announce(
    tx,
    ctx,
    correlationIds.map((correlationId) => ({ kind: "in_flight" as const, deviceUuid: device.uuid, correlationId })),
  );
  await noteUpdatesSeen(tx, device.uuid, correlationIds);
  return made;
}

/** Same content, later date, next version. Targets drag the snapshot along, and that the timestamp. */
async function refresh(
  tx: Tx,
  ctx: Ctx,
  of: { signing: Signing; deviceUuid: string; leftMs: number },
): Promise<Map<DeviceRoleName, RoleRow>> {
  const { deviceUuid, leftMs } = of;
  const signing = { ...of.signing, db: tx };
  const current = await listRoles(tx, deviceUuid);
  const now = ctx.clock();
  const old = {
    targets: current.get("targets"),
    snapshot: current.get("snapshot"),
    timestamp: current.get("timestamp"),
  };
  const due = (row: RoleRow | undefined) => row === undefined || row.expiresAt.getTime() - now.getTime() < leftMs;
  if (old.targets === undefined) return current;
  const renewed: RoleRow[] = [];
  if (due(old.targets)) {
    const version = old.targets.version + 1;
    const expires = new Date(now.getTime() + ON_REFRESH_MS.targets);
    const signed = { ...signedPart(old.targets.bytes), expires: formatExpires(expires), version };
    const targets = await sign(ctx, signing, { role: "targets", signed, version, expires });
    renewed.push(...(await signAbove(ctx, { signing, current, targets, validForMs: ON_REFRESH_MS })));
  } else if (old.snapshot === undefined || due(old.snapshot)) {
    const above = await signAbove(ctx, { signing, current, targets: old.targets, validForMs: ON_REFRESH_MS });
    renewed.push(...above.filter(({ role }) => role !== "targets"));
  } else if (due(old.timestamp)) {
    const { snapshot, timestamp } = old;
    renewed.push(
      await signTimestamp(ctx, { signing, snapshot, version: (timestamp?.version ?? 0) + 1, validForMs: DAY_MS }),
    );
  }
  if (renewed.length > 0) await saveRoles(tx, { deviceUuid, at: now }, renewed);
  return new Map([...current, ...renewed.map((row) => [row.role, row] as const)]);
}

async function listFor(
  tx: Tx,
  ctx: Ctx,
  of: { device: DeviceRow; assignments: readonly AssignmentRow[]; previous: Uint8Array | null },
): Promise<TargetList> {
  const { uuid, withdrawnCorrelationId } = of.device;
  if (of.assignments.length === 0 && withdrawnCorrelationId === null) return EMPTY_LIST;
  const ecus = await listEcus(tx, ctx.namespaceId, [uuid]);
  if (of.assignments.length > 0) return listAssigned(of.assignments, ecus);
  return withdrawnCorrelationId === null ? EMPTY_LIST : listInstalled(withdrawnCorrelationId, of.previous, ecus);
}

/** Keys are read in the transaction that signs: it asks for no second connection. */
type SigningNow = Signing & { readonly db: Tx };

/** The snapshot over `targets` and the timestamp over that snapshot; all three, in that order. */
async function signAbove(
  ctx: Ctx,
  of: {
    signing: SigningNow;
    current: ReadonlyMap<DeviceRoleName, RoleRow>;
    targets: RoleRow;
    validForMs: { snapshot: number; timestamp: number };
  },
): Promise<RoleRow[]> {
  const { signing, current, targets } = of;
  const version = (current.get("snapshot")?.version ?? 0) + 1;
  const expires = new Date(ctx.clock().getTime() + of.validForMs.snapshot);
  const { root } = signing;
  const meta = {
    "root.json": { checksum: root.checksum, length: root.bytes.length, version: root.version },
    "targets.json": metaOf(targets),
  };
  const signed = buildSnapshot({ version, expires, meta });
  const snapshot = await sign(ctx, signing, { role: "snapshot", signed, version, expires });
  const timestamp = await signTimestamp(ctx, {
    signing,
    snapshot,
    version: (current.get("timestamp")?.version ?? 0) + 1,
    validForMs: of.validForMs.timestamp,
  });
  return [targets, snapshot, timestamp];
}

async function signTimestamp(
  ctx: Ctx,
  of: { signing: SigningNow; snapshot: RoleRow; version: number; validForMs: number },
): Promise<RoleRow> {
  const { version, snapshot } = of;
  const expires = new Date(ctx.clock().getTime() + of.validForMs);
  const signed = buildTimestamp({ version, expires, snapshot: metaOf(snapshot) });
  return sign(ctx, of.signing, { role: "timestamp", signed, version, expires });
}

async function sign(
  ctx: Ctx,
  signing: SigningNow,
  document: { role: DeviceRoleName; signed: JsonObject; version: number; expires: Date },
): Promise<RoleRow> {
  const { role, version, expires } = document;
  const { bytes, checksum } = await signRole({ keys: ctx.keys, db: signing.db }, signing.repoId, role, document.signed);
  return { role, version, bytes, checksum, expiresAt: expires };
}

function metaOf(row: RoleRow): { checksum: string; length: number; version: number } {
  return { checksum: row.checksum, length: row.bytes.length, version: row.version };
}

function usable(
  rows: readonly ServedRole[],
  wanted: { role: DeviceRoleName; now: Date; leftMs: number },
): ServedRole | null {
  const row = rows.find(({ role }) => role === wanted.role);
  const lasts = ({ expiresAt }: RoleRow) => expiresAt.getTime() - wanted.now.getTime() >= wanted.leftMs;
  if (row === undefined || row.metadataOutdated || !rows.every(lasts)) return null;
  return row;
}

async function lockLiving(tx: Tx, ctx: Ctx, deviceUuid: string): Promise<DeviceRow> {
  const device = await lockOrCreateDevice(tx, ctx.namespaceId, deviceUuid);
  if (device === null || device.deletedAt !== null) {
    throw new AppError("ota.missing_entity", "Missing entity: Device", { context: { deviceUuid } });
  }
  return device;
}

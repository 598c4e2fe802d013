import type { RegisterEcus } from "#lib/contracts/ota/director.ts";
import type { Ctx } from "#lib/ctx.ts";
import type { Tx } from "#lib/db/client.ts";
import { AppError, isAppError } from "#lib/errors/app-error.ts";
import { parseTufKey, type TufKey } from "#lib/uptane/keys.ts";
import { type EcuReplacement, recordEcuReplacements } from "#services/device-registry/service.ts";
import { setRegistrationRefusal } from "#services/fleet/service.ts";
import { indexDevices } from "./announce.ts";
import { makeRoles } from "./metadata.ts";
import { holdKeys, prepareSigning, type Signing } from "./repository.ts";
import { type AssignmentRow, listAssignments } from "./store-assignments.ts";
import {
  type DeviceRow,
  type EcuRow,
  listEcus,
  listRemovedSerials,
  lockOrCreateDevice,
  type RegisteredEcu,
  replaceEcus,
  updateDevice,
} from "./store-devices.ts";
import { listRoles } from "./store-roles.ts";
import { readList } from "./targets.ts";

type Refusal = "ecu_replacement_disabled" | "replace_ecu_assignment_exists" | "ecu_reuse_not_allowed";
type Answer = { kind: "created" } | { kind: "unchanged" } | { kind: "replaced" } | { kind: "refused"; why: Refusal };

/**
 * Registers the complete list of a device's ECUs, or replaces it: what is not listed is gone. The identical list again changes nothing,
 * so that a device whose answer got lost is not stuck.
 *
 * A refusal is kept where people look for the reason (the fleet index), since the device can only try again.
 *
 * @returns whether the device is new here (201) or not (200)
 * @throws AppError `ota.primary_is_not_listed_for_device` | `ota.invalid_entity` (a key that devices do not use) |
 *   `ota.replace_ecu_assignment_exists` (an ECU with an assignment is missing or has other hardware) | `ota.ecu_reuse_not_allowed` (a serial
 *   that was replaced comes back) | `ota.ecu_replacement_disabled` (another list than the first, and DIRECTOR_ALLOW_ECU_REPLACEMENT is off) | `ota.missing_entity` (the id of another namespace) | `ota.no_repo_for_namespace`
 * @see contracts/director.md section 4.1; contracts/aktualizr-client.md section 2, "ECU registration"
 */
export async function registerEcus(
  ctx: Ctx,
  deviceUuid: string,
  request: RegisterEcus,
): Promise<"created" | "updated"> {
  const ecus = toEcus(request);
  const signing = await prepareSigning(ctx);
  const answer = await ctx.db.$transaction(async (tx) => {
    await holdKeys(tx, signing.repoId);
    const device = await lockOrCreateDevice(tx, ctx.namespaceId, deviceUuid);
    if (device === null)
      throw new AppError("ota.missing_entity", "Missing entity: Device", { context: { deviceUuid } });
    const decided = await register(tx, ctx, { device, ecus, signing });
    const why = decided.kind === "refused" ? decided.why : null;
    await setRegistrationRefusal(tx, ctx.namespaceId, deviceUuid, why);
    return decided;
  });
  if (answer.kind === "refused") throw new AppError(`ota.${answer.why}`, REFUSALS[answer.why]);
  return answer.kind === "created" ? "created" : "updated";
}

const REFUSALS: Record<Refusal, string> = {
  ecu_replacement_disabled: "This server does not let a device register another list of ECUs than its first.",
  replace_ecu_assignment_exists: "An ECU that has an assignment can't be replaced. Cancel its update first.",
  ecu_reuse_not_allowed: "An ECU that was replaced can't come back under its old serial.",
};

async function register(
  tx: Tx,
  ctx: Ctx,
  of: { device: DeviceRow; ecus: readonly RegisteredEcu[]; signing: Signing },
): Promise<Answer> {
  const { device, ecus, signing } = of;
  if (device.registeredAt === null) {
    await begin(tx, ctx, { device, ecus, signing });
    return { kind: "created" };
  }
  const before = await listEcus(tx, ctx.namespaceId, [device.uuid]);
  if (isSameList(before, ecus)) {
    await indexDevices(tx, ctx, [device.uuid]);
    return { kind: "unchanged" };
  }
  if (!ctx.config.DIRECTOR_ALLOW_ECU_REPLACEMENT) return { kind: "refused", why: "ecu_replacement_disabled" };
  const assignments = await listAssignments(tx, ctx.namespaceId, [device.uuid]);
  const why = refusalOf({ before, ecus, assignments, removedEarlier: await listRemovedSerials(tx, device.uuid) });
  if (why !== null) {
    await recordEcuReplacements(tx, ctx, [{ success: false, deviceUuid: device.uuid, at: ctx.clock() }]);
    return { kind: "refused", why };
  }
  await replace(tx, ctx, { device, before, ecus });
  return { kind: "replaced" };
}

/** Metadata exists from the first moment. A device that was deleted and comes back keeps counting its versions up. */
async function begin(
  tx: Tx,
  ctx: Ctx,
  of: { device: DeviceRow; ecus: readonly RegisteredEcu[]; signing: Signing },
): Promise<void> {
  const { device, ecus, signing } = of;
  const at = ctx.clock();
  await replaceEcus(
    tx,
    { namespaceId: ctx.namespaceId, deviceUuid: device.uuid, at },
    { ecus, removed: [], reset: [] },
  );
  await updateDevice(tx, device.uuid, { primarySerial: primaryOf(ecus), registeredAt: at, deletedAt: null });
  await makeRoles(tx, ctx, { signing, device });
  await indexDevices(tx, ctx, [device.uuid]);
}

async function replace(
  tx: Tx,
  ctx: Ctx,
  of: { device: DeviceRow; before: readonly EcuRow[]; ecus: readonly RegisteredEcu[] },
): Promise<void> {
  const { device, before, ecus } = of;
  const at = ctx.clock();
  const kept = new Set(ecus.map(({ serial }) => serial));
  const removed = before.filter(({ serial }) => !kept.has(serial));
  const changed = before.filter((old) => ecus.some((ecu) => ecu.serial === old.serial && !isSameUnit(old, ecu)));
  await replaceEcus(
    tx,
    { namespaceId: ctx.namespaceId, deviceUuid: device.uuid, at },
    { ecus, removed: removed.map(({ serial }) => serial), reset: changed.map(({ serial }) => serial) },
  );
  const targets = (await listRoles(tx, device.uuid)).get("targets");
  const listed = targets === undefined ? null : readList(targets.bytes);
  const gone = [...removed, ...changed].some(({ serial }) => listed?.serials.has(serial));
  await updateDevice(tx, device.uuid, {
    primarySerial: primaryOf(ecus),
    // A list that names an ECU which is gone stops the device without a word, and an empty one would not replace it.
    ...(gone
      ? {
          metadataOutdated: true,
          withdrawnCorrelationId: device.withdrawnCorrelationId ?? listed?.correlationId ?? null,
        }
      : {}),
  });
  await recordEcuReplacements(tx, ctx, replacements({ deviceUuid: device.uuid, at, before, removed, ecus }));
  await indexDevices(tx, ctx, [device.uuid]);
}

function refusalOf(of: {
  before: readonly EcuRow[];
  ecus: readonly RegisteredEcu[];
  assignments: readonly AssignmentRow[];
  removedEarlier: readonly string[];
}): Refusal | null {
  const listed = new Map(of.ecus.map((ecu) => [ecu.serial, ecu]));
  const assigned = new Set(of.assignments.map(({ ecuSerial }) => ecuSerial));
  const touched = of.before.filter(({ serial }) => assigned.has(serial));
  // Other hardware under the same serial is another ECU: the image that is assigned was not made for it.
  if (touched.some(({ serial, hardwareId }) => listed.get(serial)?.hardwareId !== hardwareId)) {
    return "replace_ecu_assignment_exists";
  }
  return of.removedEarlier.some((serial) => listed.has(serial)) ? "ecu_reuse_not_allowed" : null;
}

/** The primary's replacement, then secondaries that went paired in order with those that came. */
function replacements(of: {
  deviceUuid: string;
  at: Date;
  before: readonly EcuRow[];
  removed: readonly EcuRow[];
  ecus: readonly RegisteredEcu[];
}): EcuReplacement[] {
  const oldPrimary = of.before.find(({ primary }) => primary);
  const newPrimary = of.ecus.find(({ primary }) => primary);
  const known = new Set(of.before.map(({ serial }) => serial));
  const gone = of.removed.filter(({ primary }) => !primary);
  const come = of.ecus.filter((ecu) => !ecu.primary && !known.has(ecu.serial));
  const pairs: [RegisteredEcu, RegisteredEcu][] = [];
  if (oldPrimary !== undefined && newPrimary !== undefined && oldPrimary.serial !== newPrimary.serial) {
    pairs.push([oldPrimary, newPrimary]);
  }
  for (const [index, former] of gone.entries()) {
    const current = come[index];
    if (current !== undefined) pairs.push([former, current]);
  }
  const unit = ({ serial, hardwareId }: RegisteredEcu) => ({ ecuId: serial, hardwareId });
  return pairs.map(([former, current]) => ({
    success: true,
    deviceUuid: of.deviceUuid,
    at: of.at,
    former: unit(former),
    current: unit(current),
  }));
}

/** @throws AppError `ota.primary_is_not_listed_for_device` | `ota.invalid_entity` */
function toEcus(request: RegisterEcus): RegisteredEcu[] {
  const ecus = request.ecus.map(({ ecu_serial: serial, hardware_identifier: hardwareId, clientKey }) => {
    const { keytype, keyval } = parseKey(clientKey, serial);
    return {
      serial,
      hardwareId,
      keyType: keytype,
      publicValue: keyval.public,
      primary: serial === request.primary_ecu_serial,
    };
  });
  if (ecus.some(({ primary }) => primary)) return ecus;
  throw new AppError("ota.primary_is_not_listed_for_device", "The primary ECU is not in the list of ECUs.");
}

function parseKey(clientKey: RegisterEcus["ecus"][number]["clientKey"], serial: string): TufKey {
  try {
    return parseTufKey(clientKey);
  } catch (cause) {
    if (!isAppError(cause)) throw cause;
    throw new AppError("ota.invalid_entity", `The key of ECU ${serial} can't be used: ${cause.message}`, { cause });
  }
}

function primaryOf(ecus: readonly RegisteredEcu[]): string | null {
  return ecus.find(({ primary }) => primary)?.serial ?? null;
}

function isSameList(before: readonly EcuRow[], ecus: readonly RegisteredEcu[]): boolean {
  if (before.length !== ecus.length) return false;
  const known = new Map(before.map((ecu) => [ecu.serial, ecu]));
  return ecus.every((ecu) => {
    const old = known.get(ecu.serial);
    return old !== undefined && old.primary === ecu.primary && isSameUnit(old, ecu);
  });
}

function isSameUnit(old: RegisteredEcu, ecu: RegisteredEcu): boolean {
  return old.hardwareId === ecu.hardwareId && old.keyType === ecu.keyType && old.publicValue === ecu.publicValue;
}

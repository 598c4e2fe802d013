import { randomUUID } from "node:crypto";
import { otaInstant } from "#lib/contracts/ota/common.ts";
import type { AssignmentOutcome, CreateAssignments, MtuTargets, QueueItem } from "#lib/contracts/ota/director.ts";
import type { Ctx } from "#lib/ctx.ts";
import type { DbOrTx, Tx } from "#lib/db/client.ts";
import { AppError } from "#lib/errors/app-error.ts";
import { condemnedImages } from "#services/verification/service.ts";
import { type DeviceVerdict, judgeDevice } from "./affected.ts";
import { announce, indexDevices } from "./announce.ts";
import { type AssigningCtx, assertAssignable, checkTargets, filenamesOf } from "./assignable.ts";
import {
  type AssignmentRow,
  findMtu,
  flagChanged,
  insertAssignments,
  insertMtu,
  listAssignments,
} from "./store-assignments.ts";
import { listEcus, lockDevices } from "./store-devices.ts";
import { listBusyDevices } from "./store-updates.ts";
import { updateIdOf } from "./update-id.ts";

/**
 * Stores a multi-target update.
 *
 * @throws AppError `ota.invalid_mtu` when it names no hardware id, or one file name with two contents, which no targets.json can hold
 * @see contracts/director.md section 3.1
 */
export async function createMtu(ctx: Ctx, targets: MtuTargets): Promise<string> {
  assertUsable(targets);
  return insertMtu(ctx.db, ctx.namespaceId, { targets, at: ctx.clock() });
}

/** @throws AppError `ota.invalid_mtu` */
export function assertUsable(targets: MtuTargets): void {
  const updates = Object.values(targets);
  if (updates.length === 0) throw new AppError("ota.invalid_mtu", "A multi-target update needs at least one target.");
  const contents = new Map<string, string>();
  for (const { to } of updates) {
    const content = `${to.checksum.hash}/${to.targetLength}/${to.uri ?? ""}`;
    if ((contents.get(to.target) ?? content) !== content) {
      throw new AppError("ota.invalid_mtu", `${to.target} is named with two different contents.`);
    }
    contents.set(to.target, content);
  }
}

/** @throws AppError `ota.missing_entity` */
export async function getMtu(ctx: Ctx, id: string): Promise<MtuTargets> {
  const targets = await findMtu(ctx.db, ctx.namespaceId, id);
  if (targets === null) throw new AppError("ota.missing_entity", "Missing entity: MultiTargetUpdate");
  return targets;
}

/** Devices a transaction: its locks are held for about a second, and a call may name ten thousand. */
export const DEVICES_PER_TRANSACTION = 1_000;

/**
 * Assigns a multi-target update to every ECU it affects, a thousand devices a transaction, each in a number of statements that does not grow
 * with the devices. Asking again for the same changes nothing and answers the same, so a call that broke off is simply made again.
 *
 * @throws AppError `ota.missing_entity` (the multi-target update) | `ota.invalid_mtu` (one of its images was deleted) |
 *   `ota.role_key_not_found` (a key of the director's is offline) | `ota.image_being_checked` | `backend.*`
 * @see contracts/director.md section 3.2
 */
export async function createAssignments(ctx: AssigningCtx, request: CreateAssignments): Promise<AssignmentOutcome> {
  const targets = await getMtu(ctx, request.mtuId);
  const devices = [...new Set(request.devices)];
  if (request.dryRun !== true) await checkTargets(ctx, targets);
  const outcome: AssignmentOutcome = { affected: [], notAffected: {} };
  for (let from = 0; from < devices.length; from += DEVICES_PER_TRANSACTION) {
    const chunk = { ...request, targets, devices: devices.slice(from, from + DEVICES_PER_TRANSACTION) };
    const { affected, notAffected } = outcomeOf(
      request.dryRun === true ? await judgeAll(ctx.db, ctx, chunk) : await assignChunk(ctx, chunk),
    );
    outcome.affected.push(...affected);
    Object.assign(outcome.notAffected, notAffected);
  }
  return outcome;
}

export type Chunk = { correlationId: string; devices: readonly string[]; targets: MtuTargets };

async function assignChunk(ctx: Ctx, chunk: Chunk): Promise<Map<string, DeviceVerdict>> {
  return ctx.db.$transaction(async (tx) => {
    await assertAssignable(tx, ctx, chunk.targets);
    await lockDevices(tx, ctx.namespaceId, chunk.devices);
    return assignLocked(tx, ctx, chunk);
  });
}

/** Judges and assigns. The caller has called `assertAssignable` and then `lockDevices`. */
export async function assignLocked(tx: Tx, ctx: Ctx, chunk: Chunk): Promise<Map<string, DeviceVerdict>> {
  const verdicts = await judgeAll(tx, ctx, chunk);
  const created = [...verdicts.values()].flatMap((verdict) => verdict.created);
  await insertAssignments(tx, ctx.namespaceId, created);
  const changed = [...Map.groupBy(created, ({ deviceUuid }) => deviceUuid)];
  const uuids = changed.map(([uuid]) => uuid);
  await flagChanged(
    tx,
    uuids.map((uuid) => ({ uuid })),
  );
  await announce(
    tx,
    ctx,
    changed.map(([deviceUuid, rows]) => ({
      kind: "assigned",
      deviceUuid,
      correlationId: chunk.correlationId,
      filenames: [...new Set(rows.map(({ filename }) => filename))],
    })),
  );
  if (uuids.length > 0) await indexDevices(tx, ctx, uuids);
  return verdicts;
}

/** Which of these devices the update would affect, each once. @throws AppError `ota.missing_entity` */
export async function listAffected(ctx: Ctx, mtuId: string, devices: readonly string[]): Promise<string[]> {
  const targets = await getMtu(ctx, mtuId);
  // A new assignment would have an id of its own; this one stands for it.
  const correlationId = `urn:here-ota:mtu:${randomUUID()}`;
  const verdicts = await judgeAll(ctx.db, ctx, { correlationId, devices, targets });
  return [...verdicts].filter(([, verdict]) => verdict.affected.length > 0).map(([uuid]) => uuid);
}

/** Open assignments of these devices, one item a correlation id. @see contracts/director.md section 3.3 */
export async function listQueues(ctx: Ctx, devices: readonly string[]): Promise<Map<string, QueueItem[]>> {
  const rows = await listAssignments(ctx.db, ctx.namespaceId, devices);
  const byDevice = Map.groupBy(rows, ({ deviceUuid }) => deviceUuid);
  return new Map(devices.map((uuid) => [uuid, toQueue(byDevice.get(uuid) ?? [])]));
}

/** What each of these devices would get of `targets`; inside a transaction that holds their locks, what it gets. */
export async function judgeAll(db: DbOrTx, ctx: Ctx, of: Chunk): Promise<Map<string, DeviceVerdict>> {
  const ecus = Map.groupBy(await listEcus(db, ctx.namespaceId, of.devices), ({ deviceUuid }) => deviceUuid);
  const open = Map.groupBy(await listAssignments(db, ctx.namespaceId, of.devices), ({ deviceUuid }) => deviceUuid);
  const busy = await listBusyDevices(db, ctx.namespaceId, {
    devices: of.devices,
    except: updateIdOf(of.correlationId),
  });
  const condemned = await condemnedImages(db, ctx.namespaceId, filenamesOf(of.targets));
  const at = ctx.clock();
  return new Map(
    of.devices.map((deviceUuid) => [
      deviceUuid,
      judgeDevice({
        deviceUuid,
        correlationId: of.correlationId,
        targets: of.targets,
        ecus: ecus.get(deviceUuid) ?? [],
        open: open.get(deviceUuid) ?? [],
        condemned,
        busy: busy.has(deviceUuid),
        at,
      }),
    ]),
  );
}

export function outcomeOf(verdicts: ReadonlyMap<string, DeviceVerdict>): AssignmentOutcome {
  const refused = [...verdicts].filter(([, verdict]) => Object.keys(verdict.refused).length > 0);
  return {
    affected: [...verdicts].flatMap(([uuid, verdict]) => verdict.affected.map(() => uuid)),
    notAffected: Object.fromEntries(refused.map(([uuid, verdict]) => [uuid, { ...verdict.refused }])),
  };
}

function toQueue(rows: readonly AssignmentRow[]): QueueItem[] {
  return [...Map.groupBy(rows, ({ correlationId }) => correlationId)].map(([correlationId, items]) => ({
    correlationId,
    inFlight: items.some(({ inFlight }) => inFlight),
    targets: Object.fromEntries(
      items.map(({ ecuSerial, filename, sha256, length, uri, createdAt }) => [
        ecuSerial,
        {
          image: { filepath: filename, fileinfo: { hashes: { sha256 }, length } },
          uri,
          createdAt: otaInstant(createdAt),
        },
      ]),
    ),
  }));
}

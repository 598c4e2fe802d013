import type { Ctx } from "#lib/ctx.ts";
import type { Tx } from "#lib/db/client.ts";
import { AppError, isAppError } from "#lib/errors/app-error.ts";
import { type AddedImage, holdImages, settleAdded, takeAdded } from "#services/image-repo/service.ts";
import { condemnedImages } from "#services/verification/service.ts";
import { indexDevices, trackAssigned } from "./announce.ts";
import { type AssigningCtx, listOffline, TURN_WAITS_MS } from "./assignable.ts";
import { DEVICES_PER_TRANSACTION } from "./assignments.ts";
import { type AssignmentRow, flagChanged, insertAssignments, listAssignments } from "./store-assignments.ts";
import * as store from "./store-auto-updates.ts";
import { type EcuRow, listEcus, lockDevices } from "./store-devices.ts";
import { listAssigned, refusalOf } from "./targets.ts";

/* "Give this ECU whatever is uploaded under that name": contracts/director.md section 6. */

/** Five thousand devices: a turn ends soon, so that updates set for a time start on time. */
const MAX_STEPS = 5;

type Definition = { deviceUuid: string; ecuSerial: string; targetName: string };

/** @throws AppError `ota.missing_entity` (the ECU) | `ota.conflicting_entity` (it is there already) */
export async function addAutoUpdate(ctx: Ctx, definition: Definition): Promise<void> {
  await requireEcu(ctx, definition);
  const { namespaceId } = ctx;
  if (await store.insertAutoUpdate(ctx.db, { namespaceId, ...definition, at: ctx.clock() })) return;
  throw new AppError("ota.conflicting_entity", "Entity already exists: AutoUpdate");
}

/** @throws AppError `ota.missing_entity` */
export async function removeAutoUpdate(ctx: Ctx, definition: Definition): Promise<void> {
  if (await store.deleteAutoUpdate(ctx.db, { namespaceId: ctx.namespaceId, ...definition })) return;
  throw new AppError("ota.missing_entity", "Missing entity: AutoUpdate");
}

/** @throws AppError `ota.missing_entity` (the ECU) */
export async function listAutoUpdates(ctx: Ctx, of: { deviceUuid: string; ecuSerial: string }): Promise<string[]> {
  await requireEcu(ctx, of);
  return store.listTargetNames(ctx.db, { namespaceId: ctx.namespaceId, ...of });
}

/**
 * Assigns images that came onto the list to the ECUs that wait for their names, in all namespaces: a thousand devices a transaction, which
 * also writes down how far it came. So it may be called by any number of workers, and killed at any moment.
 *
 * A device that has an assignment already is left alone, and so are all when the image was deleted or is damaged, or when the director can't
 * sign. An image that is still being checked waits for a later turn.
 *
 * @returns how many transactions there was something to do for
 */
export async function assignAddedImages(ctx: AssigningCtx): Promise<number> {
  await store.dropUnawaited(ctx.db);
  let steps = 0;
  while (steps < MAX_STEPS) {
    const next = await ctx.db.$transaction(takeAdded);
    if (next === null || !(await isChecked(ctx, next))) break;
    await ctx.db.$transaction((tx) => step(tx, ctx, next));
    steps += 1;
  }
  return steps;
}

async function isChecked(ctx: AssigningCtx, { namespaceId, filename }: AddedImage): Promise<boolean> {
  try {
    await ctx.checkImages({ ...ctx, namespaceId }, [filename], TURN_WAITS_MS);
    return true;
  } catch (error) {
    if (!isAppError(error)) throw error;
    if (error.code !== "ota.image_being_checked") ctx.log.error({ err: error, filename }, "an image can't be checked");
    return false;
  }
}

/** @param checked the image that was looked at: another worker may have taken it by now */
async function step(tx: Tx, base: Ctx, checked: AddedImage): Promise<void> {
  const image = await takeAdded(tx);
  if (image?.id !== checked.id) return;
  const ctx = { ...base, namespaceId: image.namespaceId };
  const waiting = await store.listWaiting(tx, {
    namespaceId: image.namespaceId,
    targetName: image.name,
    after: image.doneThrough,
    devices: DEVICES_PER_TRANSACTION,
  });
  const usable = waiting.length > 0 && (await isUsable(tx, ctx, image));
  if (usable) await assign(tx, ctx, image, waiting);
  await settleAdded(tx, image.id, usable ? (waiting.at(-1)?.deviceUuid ?? null) : null);
}

async function isUsable(tx: Tx, ctx: Ctx, { namespaceId, filename }: AddedImage): Promise<boolean> {
  const deleted = await holdImages(tx, namespaceId, [filename]);
  const offline = await listOffline(tx, ctx);
  if (offline.length > 0) ctx.log.error({ filename, offline }, "an image can't be assigned: the director can't sign");
  const condemned = await condemnedImages(tx, namespaceId, [filename]);
  return deleted.length === 0 && offline.length === 0 && condemned.size === 0;
}

/** The registry is not told, as the original does not: its status moves when the device fetches the list. */
async function assign(tx: Tx, ctx: Ctx, image: AddedImage, waiting: readonly store.AutoUpdate[]): Promise<void> {
  const byDevice = Map.groupBy(waiting, ({ deviceUuid }) => deviceUuid);
  const uuids = [...byDevice.keys()];
  await lockDevices(tx, ctx.namespaceId, uuids);
  const ecus = Map.groupBy(await listEcus(tx, ctx.namespaceId, uuids), ({ deviceUuid }) => deviceUuid);
  const busy = new Set((await listAssignments(tx, ctx.namespaceId, uuids)).map(({ deviceUuid }) => deviceUuid));
  const created = [...byDevice].flatMap(([uuid, definitions]) =>
    busy.has(uuid) ? [] : assignmentsOf({ image, definitions, ecus: ecus.get(uuid) ?? [], at: ctx.clock() }),
  );
  if (created.length === 0) return;
  await insertAssignments(tx, ctx.namespaceId, created);
  const changed = [...new Set(created.map(({ deviceUuid }) => deviceUuid))];
  await flagChanged(
    tx,
    changed.map((uuid) => ({ uuid })),
  );
  await trackAssigned(tx, ctx, created);
  await indexDevices(tx, ctx, changed);
}

/** None where the device could not read the list. */
function assignmentsOf(of: {
  image: AddedImage;
  definitions: readonly store.AutoUpdate[];
  ecus: readonly EcuRow[];
  at: Date;
}): AssignmentRow[] {
  const { filename, sha256, length, uri } = of.image;
  const serials = new Set(of.ecus.map(({ serial }) => serial));
  const rows = of.definitions
    .filter(({ ecuSerial }) => serials.has(ecuSerial))
    .map(({ id, deviceUuid, ecuSerial }) => ({
      deviceUuid,
      ecuSerial,
      correlationId: `urn:here-ota:auto-update:${id}`,
      filename,
      sha256,
      length,
      uri,
      custom: null,
      inFlight: false,
      createdAt: of.at,
    }));
  return refusalOf(listAssigned(rows, of.ecus)) === null ? rows : [];
}

async function requireEcu(ctx: Ctx, of: { deviceUuid: string; ecuSerial: string }): Promise<void> {
  const ecus = await listEcus(ctx.db, ctx.namespaceId, [of.deviceUuid]);
  if (!ecus.some(({ serial }) => serial === of.ecuSerial))
    throw new AppError("ota.missing_entity", "Missing entity: Ecu");
}

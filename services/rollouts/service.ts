import { randomUUID } from "node:crypto";
import { type Actor, requirePermission } from "#lib/authz/actor.ts";
import type { BackendCtx } from "#lib/backends/backends.ts";
import type { Page } from "#lib/contracts/console/common.ts";
import type {
  CreateUpdate,
  ListUpdateDevices,
  ListUpdates,
  Preview,
  Update,
  UpdateDevice,
  UpdateSummary,
} from "#lib/contracts/console/updates.ts";
import type { Ctx } from "#lib/ctx.ts";
import type { DbOrTx, Tx } from "#lib/db/client.ts";
import { publishEvent } from "#lib/db/events.ts";
import { type Eligibility, judgeDevice } from "#lib/domain/eligibility.ts";
import { advance, type DeviceProgress } from "#lib/domain/update-progress.ts";
import { AppError } from "#lib/errors/app-error.ts";
import { recordRequestedIn } from "#services/audit/service.ts";
import * as fleet from "#services/fleet/service.ts";
import { assertDirectorSigns } from "#services/signing-keys/service.ts";
import { verifyBeforeAssignment } from "#services/verification/service.ts";
import { driveAll, driveUpdate, requestCancel } from "./drive.ts";
import { resolvePlan } from "./plan.ts";
import { closeDevice, lockTracked, lockTrackedMany, moveDevice, moveDevices } from "./progress-store.ts";
import * as store from "./store.ts";

/** The signed manifest behind "updated". */
export type UpdateEvidence = {
  manifestId: string;
  manifestSha256: string;
  ecuSerial: string;
  keyId: string;
  reportedAt: string;
};

export type TrackedProgress = DeviceProgress & { evidence?: UpdateEvidence };

type Judged = { uuid: string; name: string | null; verdict: Eligibility };

/**
 * What the update would do, device by device, without creating anything.
 *
 * @throws AppError `auth.forbidden` | `update.invalid` | `signing_key.offline` (the director's) | backend errors
 */
export async function previewUpdate(ctx: BackendCtx, actor: Actor, input: CreateUpdate): Promise<Preview> {
  requirePermission(actor, "update.preview");
  await assertDirectorSigns(ctx);
  const judged = await judge(ctx, input);
  const eligible = judged.filter(({ verdict }) => verdict.eligible).length;
  return {
    counts: { total: judged.length, eligible, skipped: judged.length - eligible },
    devices: judged.map(({ uuid, name, verdict }) => ({
      uuid,
      name,
      eligible: verdict.eligible,
      reasons: verdict.reasons,
    })),
  };
}

/**
 * Stores the update and who it will hit, then hands the first 500 assignments to the director; the worker does the rest.
 *
 * @throws AppError `auth.forbidden` | `update.invalid` | `update.nothing_to_do` with the reasons as detail | `signing_key.offline` (the
 *   director's) | backend errors of the image look-up
 */
export async function createUpdate(ctx: BackendCtx, actor: Actor, input: CreateUpdate): Promise<Update> {
  requirePermission(actor, "update.launch");
  await assertDirectorSigns(ctx);
  await verifyBeforeAssignment(
    ctx,
    Object.values(input.targets).map(({ to }) => to),
  );
  const judged = await judge(ctx, input);
  const hit = judged.filter(({ verdict }) => verdict.eligible);
  if (hit.length === 0) {
    throw new AppError(
      "update.nothing_to_do",
      "None of these devices would be updated. The preview names the reason for each.",
      {
        detail: judged.slice(0, 200).map(({ uuid, verdict }) => ({ uuid, reasons: verdict.reasons })),
      },
    );
  }
  const id = randomUUID();
  const correlationId = `urn:here-ota:mtu:${id}`;
  await ctx.db.$transaction(async (tx) => {
    const auditSequence = await recordRequestedIn(tx, ctx, actor, {
      action: "update.launch",
      target: { kind: "update", id, name: input.name },
      after: {
        devices: judged.length,
        eligible: hit.length,
        targets: Object.entries(input.targets).map(
          ([hardwareId, { from, to }]) => `${hardwareId}: ${from ?? "any"} → ${to}`,
        ),
      },
    });
    await store.insertUpdate(tx, {
      id,
      namespaceId: ctx.namespaceId,
      name: input.name,
      targets: Object.fromEntries(
        Object.entries(input.targets).map(([hardwareId, { from, to }]) => [
          hardwareId,
          from === undefined ? { to } : { from, to },
        ]),
      ),
      correlationId,
      actor,
      auditSequence,
      at: ctx.clock(),
      devices: judged.map(toRow),
    });
    await publishEvent(tx, ctx.namespaceId, { topic: "update", subjectId: id });
  });
  await driveUpdate(ctx, id, 1);
  return store.getUpdateDto(ctx.db, ctx.namespaceId, id);
}

/** @throws AppError `auth.forbidden` | `update.not_found` | `update.wrong_state` when it has ended */
export async function cancelUpdate(ctx: BackendCtx, actor: Actor, id: string): Promise<Update> {
  requirePermission(actor, "update.cancel");
  const row = await store.getUpdateRow(ctx.db, ctx.namespaceId, id);
  if (row.state === "finished")
    throw new AppError("update.wrong_state", "The update has finished: nothing is left to cancel.");
  if (row.state === "launching" || row.state === "running") await requestCancel(ctx, actor, row);
  await driveUpdate(ctx, id, 1);
  return store.getUpdateDto(ctx.db, ctx.namespaceId, id);
}

/** @throws AppError `auth.forbidden` | `request.invalid` */
export async function listUpdates(ctx: Ctx, actor: Actor, query: ListUpdates): Promise<Page<UpdateSummary>> {
  requirePermission(actor, "update.read");
  return store.listUpdateDtos(ctx.db, ctx.namespaceId, query);
}

/** @throws AppError `auth.forbidden` | `update.not_found` */
export async function getUpdate(ctx: Ctx, actor: Actor, id: string): Promise<Update> {
  requirePermission(actor, "update.read");
  return store.getUpdateDto(ctx.db, ctx.namespaceId, id);
}

/** @throws AppError `auth.forbidden` | `update.not_found` | `request.invalid` */
export async function listUpdateDevices(
  ctx: Ctx,
  actor: Actor,
  of: { id: string; query: ListUpdateDevices },
): Promise<Page<UpdateDevice>> {
  requirePermission(actor, "update.read");
  await store.getUpdateRow(ctx.db, ctx.namespaceId, of.id);
  return store.listDevices(ctx.db, ctx.namespaceId, of);
}

/** By hardware id: what the update of this correlation id has devices install; null when it is none of ours. */
export async function findTargets(
  db: DbOrTx,
  namespaceId: string,
  correlationId: string,
): Promise<ReadonlyMap<string, string> | null> {
  const targets = await store.findTargets(db, namespaceId, correlationId);
  return targets === null ? null : new Map(Object.entries(targets).map(([hardwareId, { to }]) => [hardwareId, to]));
}

/** Whether any device has ever proven an update here. @throws AppError `auth.forbidden` */
export async function hasProvenUpdate(ctx: Ctx, actor: Actor): Promise<boolean> {
  requirePermission(actor, "update.read");
  return store.hasProven(ctx.db, ctx.namespaceId);
}

/** For the worker. */
export async function resumeUpdates(ctx: BackendCtx): Promise<void> {
  await driveAll(ctx);
}

/** Moves the device's row of the update with this correlation id, forward only; does nothing when there is no such update. */
export async function recordDeviceProgress(tx: Tx, namespaceId: string, progress: TrackedProgress): Promise<void> {
  if (progress.correlationId === null) return;
  const of = { correlationId: progress.correlationId, deviceUuid: progress.deviceUuid };
  const tracked = await lockTracked(tx, namespaceId, of);
  if (tracked === null) return;
  const next = advance(tracked.state, progress);
  if (next === null) return;
  await moveDevice(
    tx,
    { updateId: tracked.updateId, deviceUuid: progress.deviceUuid },
    {
      ...next,
      at: progress.at,
      ...(progress.evidence === undefined ? {} : { evidence: { ...progress.evidence } }),
    },
  );
  await publishEvent(tx, namespaceId, { topic: "update", subjectId: tracked.updateId });
}

/** {@link recordProgressEverywhere} for many devices in a fixed number of statements; at most one step a device and update. */
export async function recordProgressEverywhereMany(
  tx: Tx,
  namespaceId: string,
  steps: readonly TrackedProgress[],
): Promise<void> {
  await fleet.recordProgressMany(tx, namespaceId, steps);
  const named = steps.filter((step) => step.correlationId !== null);
  const byDevice = new Map(named.map((step) => [`${step.correlationId}/${step.deviceUuid}`, step]));
  const tracked = await lockTrackedMany(tx, namespaceId, [...byDevice.values()]);
  const moves = tracked.flatMap(({ updateId, state, correlationId, deviceUuid }) => {
    const step = byDevice.get(`${correlationId}/${deviceUuid}`);
    const next = step === undefined ? null : advance(state, step);
    return step === undefined || next === null
      ? []
      : [{ updateId, deviceUuid, ...next, at: step.at, evidence: step.evidence ?? null }];
  });
  await moveDevices(tx, moves);
  for (const updateId of new Set(moves.map((move) => move.updateId))) {
    await publishEvent(tx, namespaceId, { topic: "update", subjectId: updateId });
  }
}

/** A deleted device reports nothing any more: without this, its updates would wait for it for ever. */
export async function recordDeviceDeleted(
  tx: Tx,
  namespaceId: string,
  deleted: { deviceUuid: string; at: Date },
): Promise<void> {
  const { deviceUuid, at } = deleted;
  const end = { reasonCode: "device_deleted", reason: "The device was deleted.", at };
  for (const updateId of await closeDevice(tx, { namespaceId, deviceUuid }, end)) {
    await publishEvent(tx, namespaceId, { topic: "update", subjectId: updateId });
  }
}

/** What director and device registry call: the fleet index and the update learn of it in the same transaction. */
export async function recordProgressEverywhere(tx: Tx, namespaceId: string, progress: TrackedProgress): Promise<void> {
  await fleet.recordProgress(tx, namespaceId, progress);
  await recordDeviceProgress(tx, namespaceId, progress);
}

async function judge(ctx: BackendCtx, input: CreateUpdate): Promise<Judged[]> {
  const uuids = [...new Set(input.devices)];
  const [plan, facts] = await Promise.all([
    resolvePlan(ctx, input.targets),
    fleet.listEligibilityFacts(ctx.db, ctx.namespaceId, uuids),
  ]);
  return uuids.map((uuid) => {
    const device = facts.get(uuid) ?? null;
    return { uuid, name: device?.name ?? null, verdict: judgeDevice(device, plan) };
  });
}

function toRow({ uuid, verdict }: Judged): store.NewDeviceRow {
  if (verdict.eligible) {
    return { deviceUuid: uuid, state: "assigned", reasonCode: null, reason: "Being handed to the director." };
  }
  const [first] = verdict.reasons;
  return { deviceUuid: uuid, state: "skipped", reasonCode: first?.code ?? null, reason: first?.text ?? null };
}

import { type Actor, requirePermission } from "#lib/authz/actor.ts";
import type { BackendCtx } from "#lib/backends/backends.ts";
import type { Page } from "#lib/contracts/console/common.ts";
import { CredentialBundle, type SimulatedDevice, type StartSimulation } from "#lib/contracts/console/devices.ts";
import type { Ctx } from "#lib/ctx.ts";
import { notify, publishEvent, SIMULATION_CHANNEL } from "#lib/db/events.ts";
import { AppError, isAppError } from "#lib/errors/app-error.ts";
import { record } from "#services/audit/service.ts";
import { issueDevice } from "#services/identity/service.ts";
import * as store from "./store.ts";

/** Enough to watch a rollout; a load test belongs to `npm run device`. */
const MAX_RUNNING = 25;
const INTERVAL_SECONDS = 5;

export type RunnableDevice = Omit<store.Claimed, "sealedBundle"> & { files: CredentialBundle["files"] };

/**
 * Issues credentials to a device of our own and has a worker run it.
 *
 * @throws AppError `auth.forbidden` | `simulation.disabled` | `request.conflict` when 25 run already | what `issueDevice` throws
 */
export async function startSimulation(ctx: BackendCtx, actor: Actor, input: StartSimulation): Promise<SimulatedDevice> {
  requirePermission(actor, "simulation.manage");
  if (ctx.config.SIMULATED_DEVICES === "off") {
    throw new AppError(
      "simulation.disabled",
      "SIMULATED_DEVICES is off on this install. Set it to on to start simulated devices.",
    );
  }
  const running = await store.countRunning(ctx.db, ctx.namespaceId);
  if (running >= MAX_RUNNING) {
    throw new AppError(
      "request.conflict",
      `${MAX_RUNNING} simulated devices run already. Stop one, or use npm run device for more.`,
    );
  }
  const name = input.name ?? `simulated-${ctx.clock().getTime().toString(36)}`;
  const bundle = await issueDevice(ctx, actor, { name, hardwareId: input.hardwareId, simulated: true });
  const sealedBundle = ctx.keys.seal(Buffer.from(JSON.stringify(bundle), "utf8"), purpose(bundle.uuid));
  const device = {
    deviceUuid: bundle.uuid,
    name,
    hardwareId: input.hardwareId,
    secondaries: input.secondaries,
    intervalSeconds: INTERVAL_SECONDS,
    createdAt: ctx.clock(),
  };
  await ctx.db.$transaction(async (tx) => {
    await store.insert(tx, ctx.namespaceId, { ...device, sealedBundle });
    await notify(tx, SIMULATION_CHANNEL, bundle.uuid);
    await publishEvent(tx, ctx.namespaceId, { topic: "simulation", subjectId: bundle.uuid });
    await record(tx, ctx, actor, {
      action: "simulation.start",
      target: { kind: "device", id: bundle.uuid, name },
      after: { hardwareId: input.hardwareId, secondaries: input.secondaries },
    });
  });
  return store.getSimulation(ctx.db, ctx.namespaceId, bundle.uuid);
}

/** @throws AppError `auth.forbidden` | `device.not_found` */
export async function stopSimulation(ctx: Ctx, actor: Actor, deviceUuid: string): Promise<SimulatedDevice> {
  requirePermission(actor, "simulation.manage");
  const device = await store.getSimulation(ctx.db, ctx.namespaceId, deviceUuid);
  await ctx.db.$transaction(async (tx) => {
    await store.markStopped(tx, { namespaceId: ctx.namespaceId, deviceUuid, at: ctx.clock() });
    await notify(tx, SIMULATION_CHANNEL, deviceUuid);
    await publishEvent(tx, ctx.namespaceId, { topic: "simulation", subjectId: deviceUuid });
    await record(tx, ctx, actor, {
      action: "simulation.stop",
      target: { kind: "device", id: deviceUuid, name: device.name },
    });
  });
  return store.getSimulation(ctx.db, ctx.namespaceId, deviceUuid);
}

/** @throws AppError `auth.forbidden` | `request.invalid` */
export async function listSimulations(
  ctx: Ctx,
  actor: Actor,
  query: { limit: number; cursor?: string | undefined; q?: string | undefined },
): Promise<Page<SimulatedDevice>> {
  requirePermission(actor, "device.read");
  return store.listSimulations(ctx.db, ctx.namespaceId, query);
}

/** For the worker: the devices that `runner` is to run from now until the lease ends, their credentials opened. */
export async function claimSimulations(
  ctx: Ctx,
  lease: { runner: string; seconds: number },
): Promise<RunnableDevice[]> {
  const now = ctx.clock();
  const until = new Date(now.getTime() + lease.seconds * 1_000);
  const claimed = await store.claim(ctx.db, { runner: lease.runner, now, until, take: MAX_RUNNING });
  return claimed.flatMap((device) => open(ctx, device) ?? []);
}

/** A bundle that can't be opened must not keep the others from running. */
function open(ctx: Ctx, { sealedBundle, ...device }: store.Claimed): RunnableDevice | null {
  try {
    const opened = ctx.keys.open(sealedBundle, purpose(device.deviceUuid)).toString("utf8");
    return { ...device, files: CredentialBundle.parse(JSON.parse(opened)).files };
  } catch (err) {
    if (!isAppError(err, "keys.unsealable")) throw err;
    ctx.log.error({ err, deviceUuid: device.deviceUuid }, "a simulated device's credentials can't be opened");
    return null;
  }
}

/** Lets another worker take over at once. */
export async function releaseSimulations(ctx: Ctx, runner: string): Promise<void> {
  await store.release(ctx.db, runner);
}

function purpose(deviceUuid: string): string {
  return `simulated-device:${deviceUuid}`;
}

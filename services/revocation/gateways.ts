import { type Actor, requirePermission } from "#lib/authz/actor.ts";
import type { Gateway, GatewayList, InForce, MeasuredRevocation } from "#lib/contracts/console/revocation.ts";
import type { Ctx } from "#lib/ctx.ts";
import { AppError } from "#lib/errors/app-error.ts";
import { getRevokingAuthority } from "#services/authorities/service.ts";
import { type CanaryRow, findCanaryRow } from "./store-canary.ts";
import * as store from "./store-gateways.ts";

export type { Applied, Replica } from "./store-gateways.ts";

/** Gateways tell of themselves every few seconds. */
export const HEARD_WITHIN_MS = 15_000;
const KEPT_DAYS = 7;

/** A gateway process says that it is there. */
export async function hearFromGateway(ctx: Ctx, replica: store.Replica & { connections: number }): Promise<void> {
  await store.hearReplica(ctx.db, replica);
}

/** A gateway process says goodbye: it is not waited for any more. */
export async function endGateway(ctx: Ctx, gatewayId: string): Promise<void> {
  await store.stopReplica(ctx.db, gatewayId);
}

/** A gateway says that it has changes in force: these, or all that were made until now. Repeating it is fine. */
export async function acknowledgeChanges(
  ctx: Ctx,
  gatewayId: string,
  applied: readonly store.Applied[] | "all",
): Promise<void> {
  if (applied === "all") await store.insertAppliedAll(ctx.db, gatewayId);
  else if (applied.length > 0) await store.insertApplied(ctx.db, gatewayId, applied);
}

/** @throws AppError `auth.forbidden` */
export async function listGateways(ctx: Ctx, actor: Actor): Promise<GatewayList> {
  requirePermission(actor, "setting.read");
  const [replicas, measured] = await Promise.all([store.listReplicas(ctx.db), findCanaryRow(ctx.db, ctx.namespaceId)]);
  return { data: replicas.map(toGateway), measured: measured === null ? null : toMeasured(measured) };
}

function toMeasured({ lastAt, lateSince, ...row }: CanaryRow): MeasuredRevocation {
  const { tries, failures, lastDelayMs, lastProblem, worstDelayMs } = row;
  const times = { lastAt: lastAt?.toISOString() ?? null, lateSince: lateSince?.toISOString() ?? null };
  return { tries, failures, lastDelayMs, lastProblem, worstDelayMs, ...times };
}

/** Gateways that are there now, with where their doors listen. */
export async function listLiveReplicas(ctx: Pick<Ctx, "db">): Promise<store.ReplicaRow[]> {
  return (await store.listReplicas(ctx.db)).filter(({ silentMs }) => silentMs <= HEARD_WITHIN_MS);
}

/**
 * Since when the last decision about a certificate, or about its authority, is in force at each gateway.
 *
 * A gateway that began after the decision has known nothing else. One that is not heard of may still have the old one, for
 * ADMISSION_STALE_SECONDS at most.
 *
 * @throws AppError `auth.forbidden` | `certificate.not_found`
 */
export async function getInForce(ctx: Ctx, actor: Actor, fingerprint: string): Promise<InForce> {
  requirePermission(actor, "certificate.read");
  const certificate = await store.findAuthorityOf(ctx.db, ctx.namespaceId, fingerprint);
  if (certificate === null) {
    throw new AppError("certificate.not_found", "No certificate with this fingerprint is known here.");
  }
  return inForceOf(ctx, { fingerprint, authorityId: certificate.authorityId });
}

/** Likewise of the last decision about an authority. @throws AppError `auth.forbidden` | `authority.not_found` */
export async function getAuthorityInForce(ctx: Ctx, actor: Actor, authorityId: string): Promise<InForce> {
  requirePermission(actor, "authority.read");
  await getRevokingAuthority(ctx, authorityId);
  return inForceOf(ctx, { fingerprint: null, authorityId });
}

async function inForceOf(ctx: Ctx, of: { fingerprint: string | null; authorityId: string | null }): Promise<InForce> {
  const { db, namespaceId } = ctx;
  const change = await store.findLastChange(db, namespaceId, of);
  const [replicas, applied] = await Promise.all([
    store.listReplicas(db),
    change === null ? [] : store.listApplied(db, change.id),
  ]);
  const staleSeconds = ctx.config.ADMISSION_STALE_SECONDS;
  const byGateway = new Map(applied.map((row) => [row.gatewayId, row]));
  return {
    change: change === null ? null : { verb: change.verb, at: change.at.toISOString() },
    staleSeconds,
    gateways: replicas.map((replica) => {
      const row = byGateway.get(replica.id);
      const since = change !== null && replica.startedAt > change.at ? "start" : null;
      const isSilent = replica.silentMs > HEARD_WITHIN_MS;
      const state =
        row !== undefined || since !== null || change === null ? "in_force" : isSilent ? "silent" : "not_yet";
      return {
        ...toGateway(replica),
        state,
        appliedAt: row?.at.toISOString() ?? null,
        delayMs: row?.delayMs ?? null,
        connectionsCut: row?.cut ?? 0,
      };
    }),
  };
}

/** Forgets acknowledgements and gateways of more than a week ago. */
export async function pruneAcknowledgements(ctx: Ctx): Promise<void> {
  await store.pruneChanges(ctx.db, KEPT_DAYS);
}

function toGateway({ id, host, version, startedAt, connections, silentMs }: store.ReplicaRow): Gateway {
  return {
    id,
    host,
    version,
    startedAt: startedAt.toISOString(),
    connections,
    silentSeconds: Math.max(0, Math.round(silentMs / 1_000)),
    isLive: silentMs <= HEARD_WITHIN_MS,
  };
}

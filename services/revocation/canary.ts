import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import type { Ctx } from "#lib/ctx.ts";
import { lockInTransaction } from "#lib/db/client.ts";
import { issueDeviceCertificate } from "#lib/pki/issue.ts";
import { generateCertificateKey } from "#lib/pki/keys.ts";
import { announceChange, loadDoorRootPem, openCanaryCa } from "#services/authorities/service.ts";
import { listLiveReplicas } from "./gateways.ts";
import { openProbe, type Probe } from "./probe.ts";
import * as store from "./store-canary.ts";

/** A revocation is to be in force at every gateway within this. */
const LATE_MS = 1_000;
/** Upper bounds in milliseconds; what takes longer counts in the failures. */
export const DELAY_BUCKETS_MS = [10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000] as const;
const HOUR_MS = 3_600_000;
const WORST_KEPT_MS = 24 * HOUR_MS;
/** Probes at a time; more gateways than that are measured by turns of their own, each with a certificate of its own. */
const MOST_REPLICAS = 50;

export type CanaryResult = { readonly delayMs: number } | { readonly problem: string };

/**
 * Measures a revocation from end to end: a certificate of one hour that every gateway lets in is revoked as any other is, and the
 * time is taken until each of them refuses it and has cut its open connection. What comes out is kept rolled up in one row.
 *
 * @returns one result a gateway; none when no gateway is there
 */
export async function measureRevocation(ctx: Ctx): Promise<CanaryResult[]> {
  await store.dropCanaries(ctx.db, ctx.namespaceId, ctx.clock());
  const replicas = (await listLiveReplicas(ctx)).slice(0, MOST_REPLICAS);
  if (replicas.length === 0) return [];
  const canary = await issueCanary(ctx);
  const rootPem = await loadDoorRootPem(ctx);
  const urls = [...new Set(replicas.map((replica) => reachableFrom(ctx, replica)))];
  const probes = await Promise.all(urls.map((url) => openProbe({ url, rootPem, ...canary })));
  const revokedAt = performance.now();
  try {
    await revokeCanary(ctx, canary.fingerprint);
    const results = await Promise.all(probes.map((probe) => resultOf(probe, revokedAt)));
    await recordResults(ctx, results);
    return results;
  } finally {
    for (const probe of probes) probe.close();
  }
}

/** What was measured so far; null before the first time. */
export function findCanaryRecord(ctx: Pick<Ctx, "db" | "namespaceId">): Promise<store.CanaryRow | null> {
  return store.findCanaryRow(ctx.db, ctx.namespaceId);
}

async function issueCanary(ctx: Ctx): Promise<{ fingerprint: string; pem: string; privateKeyPem: string }> {
  const ca = await openCanaryCa(ctx);
  const key = generateCertificateKey();
  const deviceUuid = randomUUID();
  const now = ctx.clock();
  const issued = await issueDeviceCertificate({
    ca,
    deviceUuid,
    publicKey: key.publicKey,
    now,
    validForDays: 1 / 24,
    organizationalUnit: "gatehouse-canary",
  });
  const { certificate, certificatePem } = issued;
  await store.insertCanary(ctx.db, ctx.namespaceId, {
    facts: certificate,
    deviceUuid,
    authorityId: ca.authorityId,
    createdAt: now,
  });
  return { fingerprint: certificate.fingerprint, pem: certificatePem, privateKeyPem: key.privateKeyPem };
}

async function revokeCanary(ctx: Ctx, fingerprint: string): Promise<void> {
  await ctx.db.$transaction(async (tx) => {
    await store.revokeCanaryRow(tx, ctx.namespaceId, { fingerprint, at: ctx.clock() });
    await announceChange(tx, ctx, { fingerprint, verb: "canary" });
  });
}

/** A gateway of another machine that only knows its own loopback address is reached where devices reach it. */
function reachableFrom(ctx: Ctx, replica: { host: string; doorUrl: string | null }): string {
  const { doorUrl } = replica;
  const isLoopback = doorUrl === null || /^https:\/\/(127\.|localhost|\[::1\])/.test(doorUrl);
  return doorUrl === null || (isLoopback && replica.host !== hostname()) ? ctx.config.gatewayUrl : doorUrl;
}

async function resultOf(probe: Probe, revokedAt: number): Promise<CanaryResult> {
  if (probe.problem !== null) return { problem: probe.problem };
  const refusedAt = await probe.refused();
  if (refusedAt === null) return { problem: "It was still let in after 10 seconds." };
  return { delayMs: Math.max(0, Math.round(refusedAt - revokedAt)) };
}

async function recordResults(ctx: Ctx, results: readonly CanaryResult[]): Promise<void> {
  const now = ctx.clock();
  await ctx.db.$transaction(async (tx) => {
    await lockInTransaction(tx, `revocation-canary:${ctx.namespaceId}`);
    const before = await store.findCanaryRow(tx, ctx.namespaceId);
    await store.saveCanaryRow(tx, ctx.namespaceId, rollUp(before, results, now));
  });
}

/** One row, whatever the number of tries. The worst is that of the last day. */
export function rollUp(before: store.CanaryRow | null, results: readonly CanaryResult[], now: Date): store.CanaryRow {
  const delays = results.flatMap((result) => ("delayMs" in result ? [result.delayMs] : []));
  const problems = results.flatMap((result) => ("problem" in result ? [result.problem] : []));
  const buckets = { ...before?.buckets };
  for (const delayMs of delays) {
    const bound = DELAY_BUCKETS_MS.find((it) => delayMs <= it);
    if (bound !== undefined) buckets[bound] = (buckets[bound] ?? 0) + 1;
  }
  const slowest = delays.length === 0 ? null : Math.max(...delays);
  const isLate = problems.length > 0 || (slowest ?? 0) > LATE_MS;
  const isOld = before?.worstAt == null || now.getTime() - before.worstAt.getTime() > WORST_KEPT_MS;
  const isWorse = slowest !== null && (isOld || slowest >= (before?.worstDelayMs ?? 0));
  return {
    tries: (before?.tries ?? 0) + results.length,
    failures: (before?.failures ?? 0) + problems.length,
    buckets,
    lastAt: now,
    lastDelayMs: slowest,
    lastProblem: problems[0] ?? null,
    worstAt: isWorse ? now : (before?.worstAt ?? null),
    worstDelayMs: isWorse ? slowest : (before?.worstDelayMs ?? null),
    lateSince: isLate ? (before?.lateSince ?? now) : null,
  };
}

import type { DbOrTx } from "#lib/db/client.ts";

export type Replica = { id: string; host: string; doorUrl: string; version: string };

/** Says that a gateway is there. By the database's clock, so that nobody's own clock makes it look gone. */
export async function hearReplica(db: DbOrTx, replica: Replica & { connections: number }): Promise<void> {
  const { id, host, doorUrl, version, connections } = replica;
  await db.$executeRaw`
    INSERT INTO gateway_replica (id, host, "doorUrl", version, "startedAt", "heardAt", connections)
    VALUES (${id}::uuid, ${host}, ${doorUrl}, ${version}, clock_timestamp(), clock_timestamp(), ${connections})
    ON CONFLICT (id) DO UPDATE SET "heardAt" = clock_timestamp(), connections = ${connections}, "stoppedAt" = NULL`;
}

export async function stopReplica(db: DbOrTx, id: string): Promise<void> {
  await db.$executeRaw`UPDATE gateway_replica SET "stoppedAt" = clock_timestamp(), connections = 0 WHERE id = ${id}::uuid`;
}

export type Applied = { changeId: string; cut: number };

/** Says, by the database's clock, that a gateway has these changes in force. The first word counts. */
export async function insertApplied(db: DbOrTx, gatewayId: string, applied: readonly Applied[]): Promise<void> {
  await db.$executeRaw`
    INSERT INTO admission_change_applied ("changeId", "gatewayId", cut)
    SELECT "changeId", ${gatewayId}::uuid, cut
    FROM unnest(${applied.map(({ changeId }) => changeId)}::bigint[], ${applied.map(({ cut }) => cut)}::int[]) AS told("changeId", cut)
    ON CONFLICT DO NOTHING`;
}

/** Likewise of every change that the gateway may have missed since it began. */
export async function insertAppliedAll(db: DbOrTx, gatewayId: string): Promise<void> {
  await db.$executeRaw`
    INSERT INTO admission_change_applied ("changeId", "gatewayId")
    SELECT change.id, gateway.id FROM gateway_replica AS gateway JOIN admission_change AS change ON change.at >= gateway."startedAt"
    WHERE gateway.id = ${gatewayId}::uuid
    ON CONFLICT DO NOTHING`;
}

export type ReplicaRow = {
  id: string;
  host: string;
  doorUrl: string | null;
  version: string;
  startedAt: Date;
  connections: number;
  /** Since it was last heard of. */
  silentMs: number;
};

/** Those that did not say goodbye, and were heard of in the last ten minutes. The newest five hundred. */
export async function listReplicas(db: DbOrTx): Promise<ReplicaRow[]> {
  return db.$queryRaw<ReplicaRow[]>`
    SELECT id, host, "doorUrl", version, "startedAt", connections,
      (extract(epoch FROM clock_timestamp() - "heardAt") * 1000)::int AS "silentMs"
    FROM gateway_replica WHERE "stoppedAt" IS NULL AND "heardAt" > clock_timestamp() - interval '10 minutes'
    ORDER BY "startedAt" DESC, id LIMIT 500`;
}

export type ChangeRow = { id: string; verb: string; at: Date };

/** The last change of a certificate, or of its authority, that gateways were told of. */
export async function findLastChange(
  db: DbOrTx,
  namespaceId: string,
  of: { fingerprint: string | null; authorityId: string | null },
): Promise<ChangeRow | null> {
  const [row] = await db.$queryRaw<ChangeRow[]>`
    SELECT id::text, verb, at FROM (
      (SELECT id, verb, at FROM admission_change
        WHERE "namespaceId" = ${namespaceId} AND fingerprint = ${of.fingerprint} ORDER BY id DESC LIMIT 1)
      UNION ALL
      (SELECT id, verb, at FROM admission_change
        WHERE "namespaceId" = ${namespaceId} AND fingerprint IS NULL AND "authorityId" = ${of.authorityId}::uuid
        ORDER BY id DESC LIMIT 1)
    ) AS told ORDER BY told.id DESC LIMIT 1`;
  return row ?? null;
}

export type AppliedRow = { gatewayId: string; at: Date; delayMs: number; cut: number };

export async function listApplied(db: DbOrTx, changeId: string): Promise<AppliedRow[]> {
  return db.$queryRaw<AppliedRow[]>`
    SELECT applied."gatewayId", applied.at, applied.cut,
      greatest(0, (extract(epoch FROM applied.at - change.at) * 1000)::int) AS "delayMs"
    FROM admission_change_applied AS applied JOIN admission_change AS change ON change.id = applied."changeId"
    WHERE applied."changeId" = ${changeId}::bigint LIMIT 1000`;
}

/** Whose authority a certificate has; null for one that is not known. */
export async function findAuthorityOf(
  db: DbOrTx,
  namespaceId: string,
  fingerprint: string,
): Promise<{ authorityId: string | null } | null> {
  return db.deviceCertificate.findFirst({
    where: { namespaceId, fingerprint, canary: false },
    select: { authorityId: true },
  });
}

/** Forgets what is older than this, in one statement a table. */
export async function pruneChanges(db: DbOrTx, olderThanDays: number): Promise<void> {
  await db.$executeRaw`
    DELETE FROM admission_change_applied WHERE at < clock_timestamp() - make_interval(days => ${olderThanDays})`;
  await db.$executeRaw`DELETE FROM admission_change WHERE at < clock_timestamp() - make_interval(days => ${olderThanDays})`;
  await db.$executeRaw`DELETE FROM gateway_replica WHERE "heardAt" < clock_timestamp() - make_interval(days => ${olderThanDays})`;
}

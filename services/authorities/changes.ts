import type { Ctx } from "#lib/ctx.ts";
import type { Tx } from "#lib/db/client.ts";
import { ADMISSION_CHANNEL } from "#lib/db/events.ts";

/** What became of who may come in: of one certificate, or (null) of an authority and everything it signed. */
export type AdmissionChange = {
  readonly fingerprint: string | null;
  readonly authorityId?: string | null;
  /** What was done, for people who look at when it took effect: `approved`, `revoked`, … */
  readonly verb: string;
};

/**
 * Numbers a change of who may come in and tells every gateway, when the transaction commits: `<fingerprint or *>#<number>`. A gateway
 * acknowledges the number once the change is in force with it.
 */
export async function announceChange(tx: Tx, ctx: Pick<Ctx, "namespaceId">, change: AdmissionChange): Promise<void> {
  await announceChanges(tx, ctx, [change]);
}

/** Announces any number of changes in one statement. */
export async function announceChanges(
  tx: Tx,
  { namespaceId }: Pick<Ctx, "namespaceId">,
  changes: readonly AdmissionChange[],
): Promise<void> {
  if (changes.length === 0) return;
  await tx.$executeRaw`
    WITH change AS (
      INSERT INTO admission_change ("namespaceId", fingerprint, "authorityId", verb)
      SELECT ${namespaceId}, fingerprint, "authorityId", verb FROM unnest(
        ${changes.map(({ fingerprint }) => fingerprint)}::text[],
        ${changes.map(({ authorityId }) => authorityId ?? null)}::uuid[],
        ${changes.map(({ verb }) => verb)}::text[]
      ) AS told(fingerprint, "authorityId", verb)
      RETURNING id, fingerprint
    )
    SELECT pg_notify(${ADMISSION_CHANNEL}, coalesce(fingerprint, '*') || '#' || id) FROM change`;
}

import type { Ctx } from "#lib/ctx.ts";
import { type DbOrTx, lockInTransaction, type Tx } from "#lib/db/client.ts";
import { AppError } from "#lib/errors/app-error.ts";
import { countNewcomers } from "./store.ts";

const HOUR_MS = 3_600_000;

/** An authority, and how many newcomers it may have in an hour; null: any number. */
export type NewcomerRate = { readonly authorityId: string; readonly newcomersPerHour: number | null };

/** How many newcomers an authority had in the last hour: first visits, and devices that enrolled by themselves. */
export function countLastHour(
  db: DbOrTx,
  namespaceId: string,
  of: { authorityId: string; now: Date },
): Promise<number> {
  const { authorityId, now } = of;
  return countNewcomers(db, namespaceId, { authorityId, since: new Date(now.getTime() - HOUR_MS) });
}

/** Had this authority as many newcomers as it may have in an hour? Before anything costly is done for one more; it decides nothing. */
export async function hadItsNewcomers(ctx: Ctx, { authorityId, newcomersPerHour }: NewcomerRate): Promise<boolean> {
  if (newcomersPerHour === null) return false;
  return (await countLastHour(ctx.db, ctx.namespaceId, { authorityId, now: ctx.clock() })) >= newcomersPerHour;
}

/**
 * Makes sure that one more newcomer may come. Those of one authority come one after the other from here to the end of their transactions:
 * however many come at the same time, no more of them get in. Take the locks of certificate and device first.
 *
 * @throws AppError `authority.too_many_newcomers`
 */
export async function takeNewcomer(tx: Tx, ctx: Ctx, { authorityId, newcomersPerHour }: NewcomerRate): Promise<void> {
  if (newcomersPerHour === null) return;
  await lockInTransaction(tx, `newcomers:${ctx.namespaceId}:${authorityId}`);
  if ((await countLastHour(tx, ctx.namespaceId, { authorityId, now: ctx.clock() })) < newcomersPerHour) return;
  throw new AppError("authority.too_many_newcomers", "The authority had its newcomers of this hour.");
}

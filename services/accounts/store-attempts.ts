import type { DbOrTx } from "#lib/db/client.ts";

export type Attempts = { key: string; attempts: number; windowStartedAt: Date };

/**
 * Counts one attempt under each key and returns the counts, in one statement: whoever comes at the same moment sees the
 * other. Keys are locked in one order, so that two attempts cannot wait for each other.
 */
export async function countAttempt(
  db: DbOrTx,
  keys: readonly string[],
  now: Date,
  windowMs: number,
): Promise<Attempts[]> {
  const windowsBefore = new Date(now.getTime() - windowMs);
  return db.$queryRaw<Attempts[]>`
    INSERT INTO sign_in_window AS w (key, failures, "windowStartedAt")
    SELECT key, 1, ${now}::timestamptz FROM unnest(${[...keys]}::text[]) AS key ORDER BY key
    ON CONFLICT (key) DO UPDATE SET
      failures = CASE WHEN w."windowStartedAt" <= ${windowsBefore}::timestamptz THEN 1 ELSE LEAST(w.failures + 1, 1000000) END,
      "windowStartedAt" = CASE WHEN w."windowStartedAt" <= ${windowsBefore}::timestamptz THEN ${now}::timestamptz ELSE w."windowStartedAt" END
    RETURNING key, failures AS attempts, "windowStartedAt"`;
}

/** A right password: what stands against the account is forgotten, and this attempt is taken off the address. */
export async function forgiveAttempt(db: DbOrTx, keys: { forget: readonly string[]; lower: string }): Promise<void> {
  await db.signInWindow.deleteMany({ where: { key: { in: [...keys.forget] } } });
  await db.signInWindow.updateMany({
    where: { key: keys.lower, failures: { gt: 0 } },
    data: { failures: { decrement: 1 } },
  });
}

export async function pruneAttempts(db: DbOrTx, before: Date): Promise<void> {
  await db.signInWindow.deleteMany({ where: { windowStartedAt: { lt: before } } });
}

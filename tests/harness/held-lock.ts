import { expect } from "vitest";
import { type Db, lockInTransaction } from "#lib/db/client.ts";

/**
 * Holds a named lock until `waiters` transactions wait for it, then lets them go: so a race is run the same way each time,
 * and code that stopped taking the lock fails here.
 */
export async function releaseOnceWaiting<T>(
  db: Db,
  lock: { name: string; waiters: number },
  run: () => Promise<T>,
): Promise<T> {
  // Wrapped, because a transaction function that returned the promise itself would wait for it and never commit.
  const { running } = await db.$transaction(async (tx) => {
    await lockInTransaction(tx, lock.name);
    const running = run();
    running.catch(() => undefined);
    await expect.poll(() => countWaiting(db), { timeout: 10_000, interval: 20 }).toBe(lock.waiters);
    return { running };
  });
  return running;
}

async function countWaiting(db: Db): Promise<number> {
  const rows = await db.$queryRaw<{ waiting: bigint }[]>`
    SELECT count(*) AS waiting FROM pg_locks
    WHERE locktype = 'advisory' AND NOT granted
      AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`;
  return Number(rows[0]?.waiting ?? 0);
}

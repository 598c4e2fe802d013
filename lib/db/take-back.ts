import type { Db, Tx } from "./client.ts";

/**
 * Does work in a transaction that is rolled back in any case: a rehearsal.
 *
 * @returns what `work` found out; whatever `work` throws is thrown
 */
export async function takeBack<T>(db: Db, work: (tx: Tx) => Promise<T>, options: { timeoutMs: number }): Promise<T> {
  const found: T[] = [];
  try {
    await db.$transaction(
      async (tx) => {
        found.push(await work(tx));
        throw new Rollback();
      },
      { timeout: options.timeoutMs },
    );
  } catch (error) {
    const [outcome] = found;
    if (!(error instanceof Rollback) || outcome === undefined) throw error;
    return outcome;
  }
  throw new Error("a rehearsal was kept");
}

class Rollback extends Error {
  override readonly name = "Rollback";
}

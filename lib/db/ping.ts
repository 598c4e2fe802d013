import type { Db } from "#lib/db/client.ts";
import { AppError } from "#lib/errors/app-error.ts";

/** @throws AppError `database.unreachable` when no answer came in time */
export async function pingDatabase(db: Db, withinMs: number): Promise<void> {
  const { promise, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error(`no answer within ${withinMs} ms`)), withinMs);
  try {
    await Promise.race([db.$queryRaw`SELECT 1`, promise]);
  } catch (cause) {
    throw new AppError("database.unreachable", "The database does not answer.", { cause });
  } finally {
    clearTimeout(timer);
  }
}

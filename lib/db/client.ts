import { PrismaPg } from "@prisma/adapter-pg";
import { PrismaClient } from "#lib/db/generated/client.ts";
import { AppError } from "#lib/errors/app-error.ts";

export type Db = PrismaClient;
/** Inside `db.$transaction`. Store functions take `Db | Tx`. */
export type Tx = Parameters<Parameters<PrismaClient["$transaction"]>[0]>[0];
export type DbOrTx = Db | Tx;

export function createDb(databaseUrl: string, options: { poolSize?: number } = {}): Db {
  const adapter = new PrismaPg({
    connectionString: databaseUrl,
    // NOTE: the adapter writes times as UTC without saying so; a server in another zone would read them as its own.
    options: "-c TimeZone=UTC",
    max: options.poolSize ?? 10,
    connectionTimeoutMillis: 5_000,
    idleTimeoutMillis: 60_000,
  });
  return new PrismaClient({ adapter, transactionOptions: { maxWait: 10_000, timeout: 30_000 } });
}

/** @throws AppError `database.unreachable` naming the server without its password */
export async function assertReachable(db: Db, databaseUrl: string): Promise<void> {
  try {
    await db.$queryRaw`SELECT 1`;
  } catch (cause) {
    throw new AppError(
      "database.unreachable",
      `No PostgreSQL answers at ${withoutPassword(databaseUrl)}. Check DATABASE_URL and that the server runs.`,
      {
        cause,
      },
    );
  }
}

export function withoutPassword(databaseUrl: string): string {
  try {
    const url = new URL(databaseUrl);
    return `${url.protocol}//${url.username}@${url.host}${url.pathname}`;
  } catch {
    return "the address in DATABASE_URL";
  }
}

/** The SQLSTATE behind a driver error, if there is one (23505 unique, 40001 serialization, …). */
export function isUniqueViolation(error: unknown): boolean {
  return hasCode(error, "P2002");
}

/** Prisma's codes for a server that does not answer, or answers too late to be of use. */
const DOWN_CODES = ["P1001", "P1002", "P1008", "P1017", "P2024", "P2037"];

/** True when an operation failed because the database is away, so that trying again later makes sense. */
export function isDatabaseDown(error: unknown): boolean {
  return DOWN_CODES.some((code) => hasCode(error, code));
}

/** True when the schema was never applied here. */
export function isTableMissing(error: unknown): boolean {
  return (
    hasCode(error, "P2021") || (hasCode(error, "P2010") && error instanceof Error && error.message.includes("42P01"))
  );
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}

/**
 * Serialises transactions that share `name` until this one ends.
 *
 * NOTE: PostgreSQL advisory locks are numbers; two names may collide, which costs waiting and nothing else.
 */
export async function lockInTransaction(tx: Tx, name: string): Promise<void> {
  await tx.$queryRaw`SELECT 1 FROM pg_advisory_xact_lock(hashtextextended(${name}, 0))`;
}

/** Takes several of these locks, always in the same order, so that two who need some of the same never wait for each other in a ring. */
export async function locksInTransaction(tx: Tx, names: readonly string[]): Promise<void> {
  await tx.$queryRaw`
    SELECT count(pg_advisory_xact_lock(hashtextextended(name, 0)))::int FROM unnest(${[...new Set(names)].sort()}::text[]) AS name`;
}

/**
 * Keeps every transaction that takes one of these names by `lockInTransaction` waiting until this one ends; those that share them with
 * this one go on.
 */
export async function shareLocksInTransaction(tx: Tx, names: readonly string[]): Promise<void> {
  await tx.$queryRaw`
    SELECT count(pg_advisory_xact_lock_shared(hashtextextended(name, 0)))::int FROM unnest(${[...names].sort()}::text[]) AS name`;
}

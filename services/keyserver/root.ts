import type { Ctx } from "#lib/ctx.ts";
import { type DbOrTx, lockInTransaction, type Tx } from "#lib/db/client.ts";
import { AppError, isAppError } from "#lib/errors/app-error.ts";
import { parseEnvelope } from "#lib/uptane/envelope.ts";
import type { Signer } from "#lib/uptane/keys.ts";
import { METADATA_LIMITS } from "#lib/uptane/limits.ts";
import { type FullRoot, parseFullRoot, printFullRoot } from "#lib/uptane/next-root.ts";
import { signDocument } from "#lib/uptane/signatures.ts";
import type { StoredRoot } from "./service.ts";
import { signersOf } from "./signers.ts";
import * as store from "./store.ts";

const DAY_MS = 86_400_000;
const ROOT_VALID_MS = 365 * DAY_MS;
/** On reading. */
const ROOT_REFRESH_MS = 3_600_000;
/** By the worker: long enough before that a month of standstill does no harm. */
const WORKER_REFRESH_MS = 30 * DAY_MS;
const REFRESH_BATCH = 200;

/**
 * The root in force; re-signed first when less than an hour of it is left, or when it ends before it may. With an offline root key it is
 * what it is. Call it outside a transaction.
 *
 * @throws AppError `ota.no_repo_for_namespace` | `keys.unsealable`
 * @see contracts/uptane-metadata.md section 11; contracts/reposerver-keyserver.md section 6
 */
export async function currentRoot(ctx: Ctx, repoId: string): Promise<StoredRoot> {
  const latest = await latestRoot(ctx.db, repoId);
  if (isLongEnough(latest, await notBefore(ctx.db, repoId), { ctx, leftMs: ROOT_REFRESH_MS })) return latest;
  try {
    return await renewRoot(ctx, repoId, ROOT_REFRESH_MS);
  } catch (error) {
    if (!isAppError(error, "ota.role_key_not_found")) throw error;
    return latest;
  }
}

/**
 * Re-signs every root with less than 30 days left, in all namespaces. The worker's job.
 *
 * @returns how many were looked at; at most 200 a call
 */
export async function refreshRoots(ctx: Ctx): Promise<number> {
  const before = new Date(ctx.clock().getTime() + WORKER_REFRESH_MS);
  const due = await store.reposWithRootExpiring(ctx.db, before, REFRESH_BATCH);
  for (const repoId of due) {
    try {
      const root = await renewRoot(ctx, repoId, WORKER_REFRESH_MS);
      ctx.log.info({ repoId, version: root.version }, "root re-signed before it expires");
    } catch (error) {
      // One repository's lost or offline key must not let the others expire.
      if (!isAppError(error, "keys.unsealable") && !isAppError(error, "ota.role_key_not_found")) throw error;
      ctx.log.error({ err: error, repoId }, "root can't be re-signed and will expire");
    }
  }
  return due.length;
}

/**
 * Signs the next root and puts it in force. The caller holds `lockRoot`.
 *
 * @param change what is different in it; version and date are set here
 * @param extra signers beside the root keys in force: those of new root keys
 * @throws AppError `ota.role_key_not_found` | `keys.unsealable` | `uptane.too_large`
 */
export async function signNextRoot(
  tx: Tx,
  ctx: Ctx,
  of: { repoId: string; latest: StoredRoot; change?: (root: FullRoot) => FullRoot; extra?: readonly Signer[] },
): Promise<StoredRoot> {
  const { repoId, latest, change = (root) => root, extra = [] } = of;
  const { signers } = await signersOf({ keys: ctx.keys, db: tx }, repoId, "root");
  const expiresAt = rootExpiry(ctx, await notBefore(tx, repoId));
  const next = { ...change(rootOf(latest.bytes)), version: latest.version + 1, expires: expiresAt };
  const { bytes, checksum } = signDocument(printFullRoot(next), [...signers, ...extra], METADATA_LIMITS.root.maxBytes);
  const root = { bytes, checksum, version: next.version, expiresAt };
  await store.insertRoot(tx, repoId, root);
  return root;
}

/** One change of a repository's roots and keys at a time. */
export async function lockRoot(tx: Tx, repoId: string): Promise<StoredRoot> {
  await lockInTransaction(tx, `tuf-root:${repoId}`);
  return latestRoot(tx, repoId);
}

/** @throws AppError `ota.no_repo_for_namespace` */
export async function latestRoot(db: DbOrTx, repoId: string): Promise<StoredRoot> {
  const root = await store.latestRoot(db, repoId);
  if (root === null) throw new AppError("ota.no_repo_for_namespace", "There is no such repository.");
  return root;
}

export function rootOf(bytes: Buffer): FullRoot {
  return parseFullRoot(parseEnvelope(bytes, METADATA_LIMITS.root).signed);
}

/** When a root that is made now ends. */
export function rootExpiry(ctx: Ctx, earliest: Date | null): Date {
  return new Date(Math.max(ctx.clock().getTime() + ROOT_VALID_MS, earliest?.getTime() ?? 0));
}

/** Serialised per repository: two that find the same root nearly expired make one successor. */
async function renewRoot(ctx: Ctx, repoId: string, leftMs: number): Promise<StoredRoot> {
  return ctx.db.$transaction(async (tx) => {
    const latest = await lockRoot(tx, repoId);
    if (isLongEnough(latest, await notBefore(tx, repoId), { ctx, leftMs })) return latest;
    return signNextRoot(tx, ctx, { repoId, latest });
  });
}

async function notBefore(db: DbOrTx, repoId: string): Promise<Date | null> {
  const repo = await store.repoFacts(db, repoId);
  return repo?.expireNotBefore ?? null;
}

/** Dates in metadata have whole seconds. */
function isLongEnough(root: StoredRoot, earliest: Date | null, of: { ctx: Ctx; leftMs: number }): boolean {
  const ends = root.expiresAt.getTime();
  const earliestMs = Math.floor((earliest?.getTime() ?? 0) / 1_000) * 1_000;
  return ends - of.ctx.clock().getTime() >= of.leftMs && ends >= earliestMs;
}

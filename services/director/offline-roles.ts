import type { SetOfflineUpdates } from "#lib/contracts/ota/director.ts";
import type { Ctx } from "#lib/ctx.ts";
import { lockInTransaction, type Tx } from "#lib/db/client.ts";
import { AppError, isAppError } from "#lib/errors/app-error.ts";
import { formatExpires } from "#lib/uptane/expiry.ts";
import type { JsonObject } from "#lib/uptane/json.ts";
import { describeKeys, ensureRole, setExpireNotBefore, signRole } from "#services/keyserver/service.ts";
import { requireDirectorRepo } from "./repository.ts";
import * as store from "./store-repo-roles.ts";
import { signedPart } from "./targets.ts";

/* What devices without a network take from a medium: contracts/director.md section 1; contracts/uptane-metadata.md section 10. */

const DAY_MS = 86_400_000;
export const REPO_ROLE_VALID_MS = 365 * DAY_MS;
/** Less than this left, and a role that is renewed by itself is signed again when it is read. */
export const RENEW_LEFT_MS = REPO_ROLE_VALID_MS / 4;
/** A device that gets an offline update must have a root that outlives it. */
const ROOT_OUTLIVES_MS = 180 * DAY_MS;
const MAX_OFFLINE_ROLES = 300;

type SignedRole = { readonly bytes: Buffer };

/**
 * Makes the next version of an offline update, and of the snapshot over all of them.
 *
 * @throws AppError `ota.too_many_offline_roles` | `ota.invalid_entity` (a date that has passed) | `ota.role_key_not_found` |
 *   `ota.set_root_expire_failed` (the root ends too early, and its key is offline) | `uptane.too_large` | `ota.no_repo_for_namespace`
 */
export async function setOfflineUpdates(ctx: Ctx, name: string, request: SetOfflineUpdates): Promise<SignedRole> {
  const now = ctx.clock();
  const expiresAt = request.expiresAt ?? new Date(now.getTime() + REPO_ROLE_VALID_MS);
  if (expiresAt <= now) throw new AppError("ota.invalid_entity", "expiresAt has passed.");
  const repoId = await requireDirectorRepo(ctx);
  await ensureRole(ctx, repoId, "offline-updates");
  await keepRootBeyond(ctx, repoId, new Date(Math.max(expiresAt.getTime(), now.getTime() + REPO_ROLE_VALID_MS)));
  const targets = Object.fromEntries(
    Object.entries(request.values).map(([filename, { hashes, length, custom }]) => [
      filename,
      { custom: custom ?? null, hashes, length },
    ]),
  );
  return ctx.db.$transaction(async (tx) => {
    await lockRoles(tx, repoId);
    const others = (await store.listOfflineUpdates(tx, repoId)).filter((one) => one.name !== name);
    if (others.length >= MAX_OFFLINE_ROLES) {
      throw new AppError("ota.too_many_offline_roles", `There are ${MAX_OFFLINE_ROLES} offline updates already.`);
    }
    const key = { repoId, role: "offline-updates", name } as const;
    const made = await signNext(tx, ctx, { key, expiresAt, content: { _type: "Offline-Updates", targets } });
    await signSnapshot(tx, ctx, repoId);
    return made;
  });
}

/** @throws AppError `ota.missing_admin_role` | `ota.no_repo_for_namespace` */
export async function deleteOfflineUpdates(ctx: Ctx, name: string): Promise<void> {
  const repoId = await requireDirectorRepo(ctx);
  await ctx.db.$transaction(async (tx) => {
    await lockRoles(tx, repoId);
    if (!(await store.deleteRepoRole(tx, { repoId, role: "offline-updates", name }, ctx.clock()))) throw missingRole();
    await signSnapshot(tx, ctx, repoId);
  });
}

/** As signed, and never signed again by itself. @throws AppError `ota.missing_admin_role` | `ota.no_repo_for_namespace` */
export async function getOfflineUpdates(ctx: Ctx, name: string, version?: number): Promise<Buffer> {
  const repoId = await requireDirectorRepo(ctx);
  const row = await store.findRepoRole(ctx.db, { repoId, role: "offline-updates", name }, version);
  if (row === null) throw missingRole();
  return row.bytes;
}

/**
 * The snapshot over all offline updates; the latest is signed again when less than a quarter of its year is left.
 *
 * @throws AppError `ota.missing_admin_role` | `ota.no_repo_for_namespace`
 */
export async function getOfflineSnapshot(ctx: Ctx, version?: number): Promise<Buffer> {
  const repoId = await requireDirectorRepo(ctx);
  return getRenewed(ctx, { repoId, role: "offline-snapshot", name: "" }, version);
}

/** A role that is renewed when it is read; with its key offline, it is what it is. @throws AppError `ota.missing_admin_role` */
export async function getRenewed(ctx: Ctx, key: store.RepoRoleKey, version?: number): Promise<Buffer> {
  const row = await store.findRepoRole(ctx.db, key, version);
  if (row === null) throw missingRole();
  if (version !== undefined || isLongEnough(ctx, row)) return row.bytes;
  try {
    const expiresAt = new Date(ctx.clock().getTime() + REPO_ROLE_VALID_MS);
    if (key.role === "offline-snapshot") await keepRootBeyond(ctx, key.repoId, expiresAt);
    return await ctx.db.$transaction(async (tx) => {
      await lockRoles(tx, key.repoId);
      const latest = await store.findRepoRole(tx, key);
      if (latest === null) throw missingRole();
      if (isLongEnough(ctx, latest)) return latest.bytes;
      return (await signNext(tx, ctx, { key, expiresAt, content: signedPart(latest.bytes) })).bytes;
    });
  } catch (error) {
    if (!isAppError(error, "ota.role_key_not_found") && !isAppError(error, "ota.set_root_expire_failed")) throw error;
    return row.bytes;
  }
}

/** One change of a repository's own roles at a time. */
export async function lockRoles(tx: Tx, repoId: string): Promise<void> {
  await lockInTransaction(tx, `director-repo-roles:${repoId}`);
}

/** Signs the next version of a role and stores it. The caller holds `lockRoles`. */
export async function signNext(
  tx: Tx,
  ctx: Ctx,
  of: { key: store.RepoRoleKey; expiresAt: Date; content: JsonObject },
): Promise<SignedRole> {
  const { key, expiresAt } = of;
  const version = (await store.latestVersion(tx, key)) + 1;
  const signed = { ...of.content, expires: formatExpires(expiresAt), version };
  const { bytes, checksum } = await signRole({ keys: ctx.keys, db: tx }, key.repoId, key.role, signed);
  await store.insertRepoRole(tx, key, { version, bytes, checksum, expiresAt, createdAt: ctx.clock() });
  return { bytes };
}

export function missingRole(): AppError {
  return new AppError("ota.missing_admin_role", "There is no such role.");
}

async function signSnapshot(tx: Tx, ctx: Ctx, repoId: string): Promise<void> {
  const updates = await store.listOfflineUpdates(tx, repoId);
  const meta = Object.fromEntries(
    updates.map(({ name, version, checksum, length }) => [
      `${name}.json`,
      { hashes: { sha256: checksum }, length, version },
    ]),
  );
  await signNext(tx, ctx, {
    key: { repoId, role: "offline-snapshot", name: "" },
    expiresAt: new Date(ctx.clock().getTime() + REPO_ROLE_VALID_MS),
    content: { _type: "Offline-Snapshot", meta },
  });
}

function isLongEnough(ctx: Ctx, row: store.RepoRoleRow): boolean {
  return row.expiresAt.getTime() - ctx.clock().getTime() >= RENEW_LEFT_MS;
}

async function keepRootBeyond(ctx: Ctx, repoId: string, expiresAt: Date): Promise<void> {
  const least = new Date(expiresAt.getTime() + ROOT_OUTLIVES_MS);
  const { expireNotBefore } = await describeKeys(ctx, repoId);
  if (expireNotBefore === null || expireNotBefore < least) await setExpireNotBefore(ctx, repoId, least);
}

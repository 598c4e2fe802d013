import { randomUUID } from "node:crypto";
import type { Ctx } from "#lib/ctx.ts";
import { type DbOrTx, lockInTransaction, type Tx } from "#lib/db/client.ts";
import { AppError, isAppError } from "#lib/errors/app-error.ts";
import type { JsonObject } from "#lib/uptane/json.ts";
import { generateKeyPair, serverKeyId, signerFromPrivate } from "#lib/uptane/keys.ts";
import { METADATA_LIMITS } from "#lib/uptane/limits.ts";
import { buildRoot } from "#lib/uptane/metadata.ts";
import { type SignedDocument, signDocument } from "#lib/uptane/signatures.ts";
import { ROOT_REFRESH_MS, ROOT_VALID_MS, renewedRoot, WORKER_REFRESH_MS } from "./root.ts";
import { loadSigners, sealingPurpose, signersOf } from "./signers.ts";
import * as store from "./store.ts";

export type RepoKind = "image" | "director";
export type KeyRole = "root" | "targets" | "snapshot" | "timestamp";
export type StoredRoot = { version: number; bytes: Buffer; checksum: string; expiresAt: Date };

const ROLES: readonly KeyRole[] = ["root", "targets", "snapshot", "timestamp"];
const REFRESH_BATCH = 200;

/**
 * The namespace's repository of that kind, made at the first call: four keys and root version 1 in one transaction.
 *
 * Call it outside a transaction. It also opens the repository's keys, so that a later `signRole` inside a transaction
 * needs no second connection.
 *
 * @throws AppError `keys.unsealable`
 */
export async function ensureRepo(ctx: Ctx, kind: RepoKind): Promise<{ repoId: string }> {
  const found = await findRepo(ctx.db, ctx.namespaceId, kind);
  const repoId = found?.repoId ?? (await ctx.db.$transaction((tx) => createRepo(tx, ctx, kind))).repoId;
  await loadSigners(ctx, repoId);
  return { repoId };
}

/**
 * Makes the namespace's repository of that kind.
 *
 * @throws AppError `ota.conflicting_entity` when there is one
 */
export async function addRepo(ctx: Ctx, kind: RepoKind): Promise<{ repoId: string }> {
  const { repoId, created } = await ctx.db.$transaction((tx) => createRepo(tx, ctx, kind));
  if (!created) throw new AppError("ota.conflicting_entity", "Entity already exists: Repo");
  return { repoId };
}

export async function findRepo(db: DbOrTx, namespaceId: string, kind: RepoKind): Promise<{ repoId: string } | null> {
  return store.findRepo(db, namespaceId, kind);
}

/**
 * The root in force; re-signed first when less than an hour of it is left. Call it outside a transaction.
 *
 * @throws AppError `ota.no_repo_for_namespace` | `keys.unsealable`
 * @see contracts/uptane-metadata.md section 11
 */
export async function currentRoot(ctx: Ctx, repoId: string): Promise<StoredRoot> {
  const latest = await latestRoot(ctx.db, repoId);
  if (latest.expiresAt.getTime() - ctx.clock().getTime() >= ROOT_REFRESH_MS) return latest;
  return renewRoot(ctx, repoId, ROOT_REFRESH_MS);
}

/** A root by version, exactly as signed. @returns null for a version that never was, which ends a device's walk */
export async function findRoot(db: DbOrTx, repoId: string, version: number): Promise<Buffer | null> {
  if (!Number.isSafeInteger(version) || version < 1 || version > 2_147_483_647) return null;
  return store.findRoot(db, repoId, version);
}

/**
 * Signs with every key of the role. The result is what must be stored and served, byte for byte.
 *
 * @throws AppError `uptane.too_large` (more than devices accept) | `uptane.not_canonical` | `keys.unsealable`
 * @see contracts/reposerver-keyserver.md section 7.2
 */
export async function signRole(ctx: Ctx, repoId: string, role: KeyRole, signed: JsonObject): Promise<SignedDocument> {
  const { kind, signers } = await signersOf(ctx, repoId, role);
  return signDocument(signed, signers, limitOf(kind, role));
}

/**
 * Re-signs every root with less than 30 days left, in all namespaces. The worker's job.
 *
 * @returns how many; at most 200 a call
 */
export async function refreshRoots(ctx: Ctx): Promise<number> {
  const before = new Date(ctx.clock().getTime() + WORKER_REFRESH_MS);
  const due = await store.reposWithRootExpiring(ctx.db, before, REFRESH_BATCH);
  for (const repoId of due) {
    try {
      const root = await renewRoot(ctx, repoId, WORKER_REFRESH_MS);
      ctx.log.info({ repoId, version: root.version }, "root re-signed before it expires");
    } catch (error) {
      // One repository's lost key must not let the others expire.
      if (!isAppError(error, "keys.unsealable")) throw error;
      ctx.log.error({ err: error, repoId }, "root can't be re-signed and will expire");
    }
  }
  return due.length;
}

async function createRepo(tx: Tx, ctx: Ctx, kind: RepoKind): Promise<{ repoId: string; created: boolean }> {
  await lockInTransaction(tx, `tuf-repo:${ctx.namespaceId}:${kind}`);
  const found = await store.findRepo(tx, ctx.namespaceId, kind);
  if (found !== null) return { ...found, created: false };
  const repoId = randomUUID();
  const pairs = ROLES.map((role) => ({ role, ...generateKeyPair("ED25519") }));
  const keysOf = (role: KeyRole) => ({
    keys: pairs.filter((pair) => pair.role === role).map(({ publicKey }) => publicKey),
    threshold: 1,
  });
  const expiresAt = new Date(ctx.clock().getTime() + ROOT_VALID_MS);
  const roles = {
    root: keysOf("root"),
    targets: keysOf("targets"),
    snapshot: keysOf("snapshot"),
    timestamp: keysOf("timestamp"),
  };
  const signers = pairs
    .filter(({ role }) => role === "root")
    .map(({ privateKey }) => signerFromPrivate("ED25519", privateKey));
  const root = signDocument(
    buildRoot({ version: 1, expires: expiresAt, roles }),
    signers,
    METADATA_LIMITS.root.maxBytes,
  );
  await store.insertRepo(tx, { repoId, namespaceId: ctx.namespaceId, kind });
  await store.insertKeys(
    tx,
    pairs.map(({ role, publicKey, privateKey }) => {
      const keyId = serverKeyId(publicKey);
      const sealedPrivate = ctx.keys.seal(Buffer.from(privateKey, "utf8"), sealingPurpose(repoId, role, keyId));
      return { repoId, role, keyId, keyType: publicKey.keytype, publicValue: publicKey.keyval.public, sealedPrivate };
    }),
  );
  await store.insertRoot(tx, repoId, { ...root, version: 1, expiresAt });
  return { repoId, created: true };
}

/** Serialised per repository: two that find the same root nearly expired make one successor. */
async function renewRoot(ctx: Ctx, repoId: string, leftMs: number): Promise<StoredRoot> {
  await loadSigners(ctx, repoId);
  return ctx.db.$transaction(async (tx) => {
    await lockInTransaction(tx, `tuf-root:${repoId}`);
    const latest = await latestRoot(tx, repoId);
    if (latest.expiresAt.getTime() - ctx.clock().getTime() >= leftMs) return latest;
    const expiresAt = new Date(ctx.clock().getTime() + ROOT_VALID_MS);
    const next = await signRole(ctx, repoId, "root", renewedRoot(latest, expiresAt));
    const root = { bytes: next.bytes, checksum: next.checksum, version: latest.version + 1, expiresAt };
    await store.insertRoot(tx, repoId, root);
    return root;
  });
}

async function latestRoot(db: DbOrTx, repoId: string): Promise<StoredRoot> {
  const root = await store.latestRoot(db, repoId);
  if (root === null) throw new AppError("ota.no_repo_for_namespace", "There is no such repository.");
  return root;
}

function limitOf(kind: RepoKind, role: KeyRole): number {
  if (role !== "targets") return METADATA_LIMITS[role].maxBytes;
  return (kind === "image" ? METADATA_LIMITS.imageTargets : METADATA_LIMITS.directorTargets).maxBytes;
}

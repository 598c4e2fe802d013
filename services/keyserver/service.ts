import type { DbOrTx } from "#lib/db/client.ts";
import type { JsonObject } from "#lib/uptane/json.ts";
import { METADATA_LIMITS } from "#lib/uptane/limits.ts";
import type { RootRoleName } from "#lib/uptane/next-root.ts";
import { type SignedDocument, signDocument } from "#lib/uptane/signatures.ts";
import { loadSigners, type SigningCtx, signersOf } from "./signers.ts";
import * as store from "./store.ts";

export {
  deletePrivateKey,
  describeKeys,
  exportKey,
  type KeyPairJson,
  type RoleKeysFacts,
  targetsKeyPairs,
} from "./key-material.ts";
export { addRepo, ensureRepo } from "./repositories.ts";
export { currentRoot, latestRoot, refreshRoots } from "./root.ts";
export type { SigningCtx } from "./signers.ts";
export {
  ensureRole,
  pushRoot,
  pushRootIn,
  rotateRoot,
  rotateRootIn,
  setExpireNotBefore,
  unsignedRoot,
} from "./succession.ts";

/** A namespace has one of each of these. */
export type OwnKind = "image" | "director";
/** A standalone repository has keys and roots only: whoever asked for it keeps what they sign. */
export type RepoKind = OwnKind | "standalone";
export type KeyRole = RootRoleName;
export type StoredRoot = { version: number; bytes: Buffer; checksum: string; expiresAt: Date };

export async function findRepo(db: DbOrTx, namespaceId: string, kind: OwnKind): Promise<{ repoId: string } | null> {
  return store.findRepo(db, namespaceId, kind);
}

/** A root by version, exactly as signed. @returns null for a version that never was, which ends a device's walk */
export async function findRoot(db: DbOrTx, repoId: string, version: number): Promise<Buffer | null> {
  if (!Number.isSafeInteger(version) || version < 1 || version > 2_147_483_647) return null;
  return store.findRoot(db, repoId, version);
}

/**
 * Signs with every key of the role that the root in force lists. The result is what must be stored and served, byte for byte.
 *
 * @param ctx inside a transaction `{ keys, db: tx }`
 * @throws AppError `ota.role_key_not_found` (a key of the role is offline) | `uptane.too_large` (more than devices accept) |
 *   `uptane.not_canonical` | `keys.unsealable` | `ota.no_repo_for_namespace`
 * @see contracts/reposerver-keyserver.md section 7.2
 */
export async function signRole(
  ctx: SigningCtx,
  repoId: string,
  role: KeyRole,
  signed: JsonObject,
): Promise<SignedDocument> {
  const { kind, signers } = await signersOf(ctx, repoId, role);
  return signDocument(signed, signers, limitOf(kind, role));
}

/** Whether every key of the role is here. @throws AppError `keys.unsealable` | `ota.no_repo_for_namespace` */
export async function canSign(ctx: SigningCtx, repoId: string, role: KeyRole): Promise<boolean> {
  const { roles } = await loadSigners(ctx, repoId);
  return (roles.get(role) ?? []).length > 0;
}

/** Which of these roles nobody can sign here now. @throws AppError `keys.unsealable` | `ota.no_repo_for_namespace` */
export async function offlineRoles(ctx: SigningCtx, repoId: string, roles: readonly KeyRole[]): Promise<KeyRole[]> {
  const signers = await loadSigners(ctx, repoId);
  return roles.filter((role) => (signers.roles.get(role) ?? []).length === 0);
}

function limitOf(kind: RepoKind, role: KeyRole): number {
  switch (role) {
    case "targets":
      return (kind === "director" ? METADATA_LIMITS.directorTargets : METADATA_LIMITS.imageTargets).maxBytes;
    case "offline-updates":
      return METADATA_LIMITS.imageTargets.maxBytes;
    default:
      return METADATA_LIMITS.root.maxBytes;
  }
}

import type { Ctx } from "#lib/ctx.ts";
import type { DbOrTx } from "#lib/db/client.ts";
import { AppError } from "#lib/errors/app-error.ts";
import { type Signer, signerFromPrivate } from "#lib/uptane/keys.ts";
import { type FullRoot, ROOT_ROLES, type RootRoleName } from "#lib/uptane/next-root.ts";
import { rootOf } from "./root.ts";
import { openPrivate } from "./sealing.ts";
import type { RepoKind } from "./service.ts";
import * as store from "./store.ts";

/** What signing needs. Inside a transaction `db` is that transaction: keys it has just changed count, and no second connection is needed. */
export type SigningCtx = { readonly keys: Ctx["keys"]; readonly db: DbOrTx };

type RepoSigners = {
  readonly stamp: string;
  readonly kind: RepoKind;
  /** A role with a key that is not here has none: all of its keys must sign. */
  readonly roles: ReadonlyMap<RootRoleName, readonly Signer[]>;
};

/** Opened keys of the repositories used last. Keyed by master key too, so that two installs in one process stay apart. */
const MAX_CACHED = 500;
const cache = new WeakMap<Ctx["keys"], Map<string, RepoSigners>>();

/**
 * The role's signers, all of them. Opened keys are remembered, but only for the stamp that the database has now, so that no process
 * signs with a key that another one replaced.
 *
 * @throws AppError `ota.role_key_not_found` (a key is offline) | `keys.unsealable` | `ota.no_repo_for_namespace`
 */
export async function signersOf(
  ctx: SigningCtx,
  repoId: string,
  role: RootRoleName,
): Promise<{ kind: RepoKind; signers: readonly Signer[] }> {
  const { kind, roles } = await loadSigners(ctx, repoId);
  const signers = roles.get(role) ?? [];
  if (signers.length === 0) {
    throw new AppError("ota.role_key_not_found", `A private key of the role ${role} is not here.`, {
      context: { repoId, role },
    });
  }
  return { kind, signers };
}

/** Opens all keys of a repository unless they are open. @throws AppError `keys.unsealable` | `ota.no_repo_for_namespace` */
export async function loadSigners(ctx: SigningCtx, repoId: string): Promise<RepoSigners> {
  const opened = cache.get(ctx.keys) ?? new Map<string, RepoSigners>();
  cache.set(ctx.keys, opened);
  // Read before the keys: what changes in between is found by the next check.
  const repo = await store.repoFacts(ctx.db, repoId);
  if (repo === null) throw new AppError("ota.no_repo_for_namespace", "There is no such repository.");
  const known = opened.get(repoId);
  if (known?.stamp === repo.stamp) return known;
  const loaded = { stamp: repo.stamp, kind: repo.kind, roles: await openKeys(ctx, repoId) };
  opened.delete(repoId);
  const oldest = opened.keys().next();
  if (opened.size >= MAX_CACHED && !oldest.done) opened.delete(oldest.value);
  opened.set(repoId, loaded);
  return loaded;
}

async function openKeys(ctx: SigningCtx, repoId: string): Promise<ReadonlyMap<RootRoleName, readonly Signer[]>> {
  const latest = await store.latestRoot(ctx.db, repoId);
  if (latest === null) throw new AppError("ota.no_repo_for_namespace", "There is no such repository.");
  const signers = new Map<string, Signer>();
  for (const key of await store.privateKeys(ctx.db, repoId)) {
    signers.set(key.keyId, signerFromPrivate(key.keyType, openPrivate(ctx, repoId, key)));
  }
  return signersByRole(rootOf(latest.bytes), signers);
}

function signersByRole(root: FullRoot, signers: ReadonlyMap<string, Signer>): Map<RootRoleName, readonly Signer[]> {
  const roles = new Map<RootRoleName, readonly Signer[]>();
  for (const name of ROOT_ROLES) {
    const keyIds = [...new Set(root.roles.get(name)?.keyids ?? [])];
    const here = keyIds.flatMap((keyId) => signers.get(keyId) ?? []);
    if (here.length === keyIds.length) roles.set(name, here);
  }
  return roles;
}

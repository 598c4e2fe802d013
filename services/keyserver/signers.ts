import type { Ctx } from "#lib/ctx.ts";
import { AppError } from "#lib/errors/app-error.ts";
import { type Signer, signerFromPrivate } from "#lib/uptane/keys.ts";
import type { KeyRole, RepoKind } from "./service.ts";
import * as store from "./store.ts";

type RepoSigners = { readonly kind: RepoKind; readonly roles: ReadonlyMap<string, readonly Signer[]> };

/** Opened keys of the repositories used last. Keyed by master key too, so that two installs in one process stay apart. */
const MAX_CACHED = 500;
const cache = new WeakMap<Ctx["keys"], Map<string, RepoSigners>>();

/** Binds sealed bytes to their row. */
export function sealingPurpose(repoId: string, role: string, keyId: string): string {
  return `tuf-key:${repoId}:${role}:${keyId}`;
}

/**
 * The role's signers, all of them.
 *
 * NOTE: keys never change yet. Whoever adds rotation must drop the entry here in every process.
 *
 * @throws AppError `keys.unsealable` | `ota.no_repo_for_namespace`
 */
export async function signersOf(
  ctx: Ctx,
  repoId: string,
  role: KeyRole,
): Promise<{ kind: RepoKind; signers: readonly Signer[] }> {
  const { kind, roles } = await loadSigners(ctx, repoId);
  const signers = roles.get(role) ?? [];
  if (signers.length === 0)
    throw new AppError("keys.unsealable", `The ${role} key is not here.`, { context: { repoId } });
  return { kind, signers };
}

/** Opens all keys of a repository, once. @throws AppError `keys.unsealable` | `ota.no_repo_for_namespace` */
export async function loadSigners(ctx: Ctx, repoId: string): Promise<RepoSigners> {
  const opened = cache.get(ctx.keys) ?? new Map<string, RepoSigners>();
  cache.set(ctx.keys, opened);
  const known = opened.get(repoId);
  if (known !== undefined) return known;
  const loaded = await openKeys(ctx, repoId);
  const oldest = opened.keys().next();
  if (opened.size >= MAX_CACHED && !oldest.done) opened.delete(oldest.value);
  opened.set(repoId, loaded);
  return loaded;
}

async function openKeys(ctx: Ctx, repoId: string): Promise<RepoSigners> {
  const found = await store.repoWithKeys(ctx.db, repoId);
  if (found === null) throw new AppError("ota.no_repo_for_namespace", "There is no such repository.");
  const roles = new Map<string, Signer[]>();
  for (const key of found.keys) {
    const text = ctx.keys.open(key.sealedPrivate, sealingPurpose(repoId, key.role, key.keyId)).toString("utf8");
    roles.set(key.role, [...(roles.get(key.role) ?? []), signerFromPrivate(key.keyType, text)]);
  }
  return { kind: found.kind, roles };
}

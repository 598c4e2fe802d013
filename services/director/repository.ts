import type { Ctx } from "#lib/ctx.ts";
import { AppError } from "#lib/errors/app-error.ts";
import { currentRoot, ensureRepo, findRepo, findRoot, type StoredRoot } from "#services/keyserver/service.ts";

/** Repository ids never change, so each is looked up once. Keyed by master key, so that two installs in one process stay apart. */
const MAX_CACHED = 500;
const repoIds = new WeakMap<Ctx["keys"], Map<string, string>>();

/** The namespace's director repository. @returns null when nobody has made it yet */
export async function findDirectorRepo(ctx: Ctx): Promise<string | null> {
  const known = repoIds.get(ctx.keys) ?? new Map<string, string>();
  repoIds.set(ctx.keys, known);
  const cached = known.get(ctx.namespaceId);
  if (cached !== undefined) return cached;
  const found = await findRepo(ctx.db, ctx.namespaceId, "director");
  if (found === null) return null;
  const oldest = known.keys().next();
  if (known.size >= MAX_CACHED && !oldest.done) known.delete(oldest.value);
  known.set(ctx.namespaceId, found.repoId);
  return found.repoId;
}

/** @throws AppError `ota.no_repo_for_namespace` */
export async function requireDirectorRepo(ctx: Ctx): Promise<string> {
  const repoId = await findDirectorRepo(ctx);
  if (repoId === null) throw new AppError("ota.no_repo_for_namespace", "This namespace has no director repository.");
  return repoId;
}

/** The root in force, exactly as signed. @throws AppError `ota.no_repo_for_namespace` | `keys.unsealable` */
export async function getRoot(ctx: Ctx): Promise<Buffer> {
  const root = await currentRoot(ctx, await requireDirectorRepo(ctx));
  return root.bytes;
}

/**
 * One version of the root. Every version is kept for ever: a device walks them one by one, and the first that is missing ends its walk.
 *
 * @returns null for a version that never was
 * @throws AppError `ota.no_repo_for_namespace`
 * @see contracts/aktualizr-client.md section 5, "Root"
 */
export async function findRootVersion(ctx: Ctx, version: number): Promise<Buffer | null> {
  return findRoot(ctx.db, await requireDirectorRepo(ctx), version);
}

/** What signing needs, got before the transaction that signs, since neither may ask for a second connection inside one. */
export type Signing = { readonly repoId: string; readonly root: StoredRoot };

/** @throws AppError `ota.no_repo_for_namespace` | `keys.unsealable` */
export async function prepareSigning(ctx: Ctx): Promise<Signing> {
  await requireDirectorRepo(ctx);
  const { repoId } = await ensureRepo(ctx, "director");
  return { repoId, root: await currentRoot(ctx, repoId) };
}

import type { Ctx } from "#lib/ctx.ts";
import { lockInTransaction, shareLocksInTransaction, type Tx } from "#lib/db/client.ts";
import { AppError } from "#lib/errors/app-error.ts";
import type { Json } from "#lib/uptane/json.ts";
import { recordByMachine } from "#services/audit/service.ts";
import {
  currentRoot,
  ensureRepo,
  findRepo,
  findRoot,
  pushRootIn,
  rotateRootIn,
  type StoredRoot,
} from "#services/keyserver/service.ts";
import { outdateAll } from "./store-devices.ts";

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

/** A new root changes the metadata of every device at once. */
const ROOT_CHANGE_MS = 300_000;

/**
 * Puts a root in force that somebody signed elsewhere. What its keys must sign anew is made at each device's next fetch.
 *
 * @throws AppError `ota.invalid_root_role` (502, with the reasons) | `ota.no_repo_for_namespace`
 * @see contracts/director.md section 1; contracts/reposerver-keyserver.md section 7.4
 */
export async function pushDirectorRoot(ctx: Ctx, signedRoot: Json): Promise<StoredRoot> {
  return changeRoot(ctx, "keys.push_root", (tx, repoId) => pushRootIn(tx, ctx, { repoId, signedRoot }));
}

/**
 * Replaces root and targets keys by new ones. Every device gets metadata under the new keys at its next fetch.
 *
 * @throws AppError `ota.role_key_not_found` (the root key is offline) | `ota.no_repo_for_namespace` | `keys.unsealable`
 */
export async function rotateDirectorRoot(ctx: Ctx): Promise<StoredRoot> {
  return changeRoot(ctx, "keys.rotate", (tx, repoId) => rotateRootIn(tx, ctx, repoId));
}

/** Nobody signs while the keys change: call it first in a transaction that signs a device's metadata, before any other lock. */
export async function holdKeys(tx: Tx, repoId: string): Promise<void> {
  await shareLocksInTransaction(tx, [lockOf(repoId)]);
}

async function changeRoot(
  ctx: Ctx,
  action: "keys.push_root" | "keys.rotate",
  change: (tx: Tx, repoId: string) => Promise<StoredRoot>,
): Promise<StoredRoot> {
  const repoId = await requireDirectorRepo(ctx);
  return ctx.db.$transaction(
    async (tx) => {
      await lockInTransaction(tx, lockOf(repoId));
      const root = await change(tx, repoId);
      await outdateAll(tx, ctx.namespaceId);
      const target = { kind: "repository", id: "director", name: "director repository" } as const;
      await recordByMachine(tx, ctx, { action, target, after: { "root version": root.version } });
      return root;
    },
    { timeout: ROOT_CHANGE_MS },
  );
}

function lockOf(repoId: string): string {
  return `director-keys:${repoId}`;
}

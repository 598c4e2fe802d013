import type { RepositoryKeys } from "#lib/contracts/ota/repository-keys.ts";
import type { Ctx } from "#lib/ctx.ts";
import type { Tx } from "#lib/db/client.ts";
import { takeBack } from "#lib/db/take-back.ts";
import { AppError } from "#lib/errors/app-error.ts";
import { type RehearsalCheck, rehearse } from "#lib/uptane/rehearsal.ts";
import { currentRoot, describeKeys, rotateRootIn, type StoredRoot } from "#services/keyserver/service.ts";
import { lockRepo, publishImages, type RoleName, readRole, refreshRoles } from "./roles.ts";
import * as store from "./store.ts";

const REHEARSAL_MS = 60_000;

/** Which keys sign what here, and until when it holds. @throws AppError `ota.no_repo_for_namespace` | `keys.unsealable` */
export async function readKeys(ctx: Ctx, repoId: string): Promise<RepositoryKeys> {
  await readRole(ctx, repoId, "timestamp"); // makes or renews what is due
  const root = await currentRoot(ctx, repoId);
  const [{ roles }, facts] = await Promise.all([describeKeys(ctx, repoId), store.roleFacts(ctx.db, repoId)]);
  const documents = [{ role: "root" as const, ...root }, ...facts];
  return {
    repoId,
    roles: roles.map(({ role, threshold, keys }) => {
      const found = documents.find((one) => one.role === role);
      const document = found && {
        version: found.version,
        expiresAt: found.expiresAt.toISOString(),
        checksum: found.checksum,
      };
      return { role, threshold, keys: [...keys], document: document ?? null };
    }),
  };
}

/**
 * Rotates root and targets keys, signs everything anew, has it verified as a device would, and takes all of it back. What is signed
 * here is never told to anybody: it would be a second root of the same version.
 *
 * @throws AppError `ota.role_key_not_found` (the root key is offline) | `uptane.too_large` | `keys.unsealable`
 */
export async function rehearseRotation(ctx: Ctx, repoId: string): Promise<RehearsalCheck[]> {
  const root = await currentRoot(ctx, repoId);
  return takeBack(ctx.db, (tx) => rotateAndVerify(tx, { ctx, repoId, root }), { timeoutMs: REHEARSAL_MS });
}

async function rotateAndVerify(
  tx: Tx,
  { ctx, repoId, root }: { ctx: Ctx; repoId: string; root: StoredRoot },
): Promise<RehearsalCheck[]> {
  await lockRepo(tx, repoId);
  const next = await rotateRootIn(tx, ctx, repoId);
  await publishImages(tx, { ctx, repoId, root: next });
  const bytesOf = async (role: RoleName) => {
    const document = await store.roleDocument(tx, repoId, role);
    if (document === null) throw new AppError("internal.error", `There is no ${role} metadata.`);
    return document.bytes;
  };
  return rehearse({
    repository: "image",
    now: ctx.clock(),
    root: root.bytes,
    nextRoot: next.bytes,
    timestamp: await bytesOf("timestamp"),
    snapshot: await bytesOf("snapshot"),
    targets: await bytesOf("targets"),
  });
}

/** Signs anew what has its keys here: targets, snapshot and timestamp, or the latter two. @throws AppError `ota.role_key_not_found` */
export async function signAnew(ctx: Ctx, repoId: string): Promise<void> {
  const always = Number.POSITIVE_INFINITY;
  await refreshRoles(ctx, repoId, { targets: always, snapshot: always, timestamp: always });
}

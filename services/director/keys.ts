import type { RepositoryKeys } from "#lib/contracts/ota/repository-keys.ts";
import type { Ctx } from "#lib/ctx.ts";
import { takeBack } from "#lib/db/take-back.ts";
import { buildDirectorTargets } from "#lib/uptane/metadata.ts";
import { type RehearsalCheck, rehearse } from "#lib/uptane/rehearsal.ts";
import { currentRoot, describeKeys, rotateRootIn, signRole } from "#services/keyserver/service.ts";
import { requireDirectorRepo } from "./repository.ts";
import { outdateAll } from "./store-devices.ts";

const REHEARSAL_MS = 60_000;
const MARK_ALL_MS = 300_000;
const SAMPLE_VALID_MS = 86_400_000;

/** Which keys sign what here. Every role but the root has a document a device. @throws AppError `ota.no_repo_for_namespace` */
export async function readKeys(ctx: Ctx): Promise<RepositoryKeys> {
  const repoId = await requireDirectorRepo(ctx);
  const root = await currentRoot(ctx, repoId);
  const { roles } = await describeKeys(ctx, repoId);
  const { version, checksum } = root;
  const rootDocument = { version, checksum, expiresAt: root.expiresAt.toISOString() };
  return {
    repoId,
    roles: roles.map(({ role, threshold, keys }) => ({
      role,
      threshold,
      keys: [...keys],
      document: role === "root" ? rootDocument : null,
    })),
  };
}

/**
 * Rotates root and targets keys, signs targets of a device that has nothing assigned, has both verified as a device would, and takes
 * all of it back.
 *
 * @throws AppError `ota.role_key_not_found` (the root key is offline) | `ota.no_repo_for_namespace` | `keys.unsealable`
 */
export async function rehearseRotation(ctx: Ctx): Promise<RehearsalCheck[]> {
  const repoId = await requireDirectorRepo(ctx);
  const root = await currentRoot(ctx, repoId);
  const expires = new Date(ctx.clock().getTime() + SAMPLE_VALID_MS);
  const sample = buildDirectorTargets({ version: 1, expires, correlationId: null, targets: [] });
  return takeBack(
    ctx.db,
    async (tx) => {
      const next = await rotateRootIn(tx, ctx, repoId);
      const { bytes } = await signRole({ keys: ctx.keys, db: tx }, repoId, "targets", sample);
      const documents = { root: root.bytes, nextRoot: next.bytes, targets: bytes };
      return rehearse({ repository: "director", now: ctx.clock(), ...documents });
    },
    { timeoutMs: REHEARSAL_MS },
  );
}

/** Has every device's metadata made anew at its next fetch. @throws AppError `ota.no_repo_for_namespace` */
export async function signAllAnew(ctx: Ctx): Promise<void> {
  await requireDirectorRepo(ctx);
  await ctx.db.$transaction((tx) => outdateAll(tx, ctx.namespaceId), { timeout: MARK_ALL_MS });
}

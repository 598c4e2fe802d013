import type { BackendCtx } from "#lib/backends/backends.ts";
import type { UpdateTargets } from "#lib/contracts/console/updates.ts";
import type { RepoImage } from "#lib/contracts/ota/reposerver.ts";
import type { ImageRef, UpdatePlan } from "#lib/domain/eligibility.ts";
import { AppError, isAppError } from "#lib/errors/app-error.ts";
import { getVerified } from "#services/verification/service.ts";

/**
 * Resolves the file names of an update to the signed images and refuses what would fail on every device.
 *
 * @throws AppError `update.invalid` naming the image and what to change; backend errors
 */
export async function resolvePlan(ctx: BackendCtx, targets: UpdateTargets): Promise<UpdatePlan> {
  const filenames = new Set(Object.values(targets).flatMap(({ from, to }) => (from === undefined ? [to] : [from, to])));
  const found = await Promise.all(
    [...filenames].map(async (filename) => [filename, await findImage(ctx, filename)] as const),
  );
  const images = new Map(found);
  return Object.fromEntries(
    Object.entries(targets).map(([hardwareId, { from, to }]) => {
      const target = images.get(to) ?? null;
      if (target === null) throw new AppError("update.invalid", `There is no image ${to}. Upload it first.`);
      if (target.verification.state === "mismatch") {
        throw new AppError(
          "update.invalid",
          `${to} did not pass verification: what is stored is not what was signed. The image's page names the check that failed.`,
        );
      }
      if (!target.hardwareIds.includes(hardwareId)) {
        throw new AppError(
          "update.invalid",
          `${to} is for ${target.hardwareIds.join(", ")}, not for ${hardwareId}: every device would refuse it.`,
        );
      }
      const source = from === undefined ? null : (images.get(from) ?? null);
      if (from !== undefined && source === null)
        throw new AppError("update.invalid", `There is no image ${from} to start from.`);
      if (from === to)
        throw new AppError("update.invalid", `${to} can't be both the image to start from and the new one.`);
      return [hardwareId, { from: source === null ? null : toRef(source), to: toRef(target) }];
    }),
  );
}

async function findImage(ctx: BackendCtx, filename: string): Promise<RepoImage | null> {
  try {
    return await getVerified(ctx, await ctx.backends.reposerver.getImage(ctx, filename));
  } catch (error) {
    if (isAppError(error, "image.not_found")) return null;
    throw error;
  }
}

function toRef(image: RepoImage): ImageRef {
  return { filename: image.filename, sha256: image.sha256, length: image.length };
}

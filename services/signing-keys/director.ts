import type { BackendCtx } from "#lib/backends/backends.ts";
import type { RepositoryKeys } from "#lib/contracts/ota/repository-keys.ts";
import { AppError, isAppError } from "#lib/errors/app-error.ts";

/** What a device must get anew with every assignment. */
const ROLES: ReadonlySet<string> = new Set(["targets", "snapshot", "timestamp"]);

/**
 * Refuses updates while the director could not sign for a single device. A director that does not tell, or is away, judges when it is asked.
 *
 * @throws AppError `signing_key.offline` | `backend.*` (it answers, and makes no sense)
 */
export async function assertDirectorSigns(ctx: BackendCtx): Promise<void> {
  const told = await tellKeys(ctx);
  const offline = (told?.roles ?? []).filter(({ role, keys }) => ROLES.has(role) && keys.some(({ online }) => !online));
  if (offline.length === 0) return;
  throw new AppError(
    "signing_key.offline",
    `The director's private key of ${offline.map(({ role }) => role).join(", ")} is offline, so it can't tell any device of an update. Rotate the director's keys under Keys, then launch.`,
  );
}

async function tellKeys(ctx: BackendCtx): Promise<RepositoryKeys | null> {
  try {
    return await ctx.backends.repositoryKeys.describe(ctx, "director");
  } catch (error) {
    if (isAppError(error, "backend.unreachable") || isAppError(error, "backend.timeout")) return null;
    throw error;
  }
}

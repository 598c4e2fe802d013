import type { BackendCtx } from "#lib/backends/backends.ts";
import type { KeyRepository, KeyState, RepositoryName, RoleKeys } from "#lib/contracts/console/keys.ts";
import type { RepositoryKeys } from "#lib/contracts/ota/repository-keys.ts";
import { type Renewal, warnOfExpiry } from "#lib/domain/role-expiry.ts";
import { isAppError } from "#lib/errors/app-error.ts";
import { readDocuments } from "./documents.ts";

const SERVICE = { image: "reposerver", director: "director" } as const;
/** Of a Gatehouse that does not tell: an old one. */
const TOO_OLD = "This back end does not offer it.";
const ROOT_OFFLINE = "A root key is offline. Sign the next root where the keys are, and upload it.";

/** What the back end tells and what can be done there; when it does not answer, its error in place of all that. */
export async function readRepository(ctx: BackendCtx, repository: RepositoryName): Promise<KeyRepository> {
  try {
    return await describeRepository(ctx, repository);
  } catch (error) {
    if (!isAppError(error) || !/^(?:backend|uptane)\./.test(error.code)) throw error;
    const { message } = error;
    const obstacles = { rotate: message, reSign: message, pushTargets: message };
    return { repository, repoId: null, problem: error.message, keyProblem: null, roles: [], obstacles };
  }
}

/** @throws AppError `backend.*` | `uptane.*` (metadata that can't be read) */
export async function describeRepository(ctx: BackendCtx, repository: RepositoryName): Promise<KeyRepository> {
  const told = await ctx.backends.repositoryKeys.describe(ctx, repository);
  if (told !== null)
    return toRepository(ctx, repository, { told, stateOf: toldState, keyProblem: null, offlineObstacle: null });
  const lack = async (name: "key_rotation" | "key_states") =>
    (await ctx.backends.lack(ctx, SERVICE[repository], name)) ?? TOO_OLD;
  const documents = await readDocuments(ctx, repository);
  const { state, keyProblem } = await askKeyserver(ctx, repository);
  const stateOf = (role: string) => (role === "targets" ? state : "not_known");
  const repositoryOf = toRepository(ctx, repository, {
    told: documents,
    stateOf,
    keyProblem,
    offlineObstacle: await lack("key_states"),
  });
  const change = await lack("key_rotation");
  const obstacles = { ...repositoryOf.obstacles, rotate: change, reSign: change };
  return { ...repositoryOf, obstacles };
}

/** Why images can't be changed from here; null when they can, or when nobody says that they can't. */
export function lockOfImages({ roles }: KeyRepository): string | null {
  const targets = roles.find(({ role }) => role === "targets");
  if (targets === undefined || targets.keys.every(({ state }) => state !== "offline")) return null;
  return "The targets key of the image repository is offline. Images change by targets that are signed where the key is, and uploaded under Keys.";
}

type Told = {
  told: RepositoryKeys;
  stateOf: (role: string, key: { online: boolean }) => KeyState;
  keyProblem: string | null;
  /** Why keys whose state is not known stay as they are. */
  offlineObstacle: string | null;
};

function toRepository(ctx: BackendCtx, repository: RepositoryName, of: Told): KeyRepository {
  const { told, stateOf, keyProblem, offlineObstacle } = of;
  const now = ctx.clock();
  const roles = told.roles.map(({ role, threshold, keys, document }): RoleKeys => {
    const states = keys.map((key) => stateOf(role, key));
    const expiresAt = document === null ? null : new Date(document.expiresAt);
    const renewal = renewalOf(states, document !== null);
    return {
      role,
      threshold,
      keys: keys.map(({ keyId, type }, index) => {
        const state = states[index] ?? "not_known";
        const may = mayGoOffline(repository, role);
        return {
          keyId,
          type,
          state,
          canGoOffline: may && state === "online",
          offlineObstacle: may && state === "not_known" ? offlineObstacle : null,
        };
      }),
      version: document?.version ?? null,
      expiresAt: document?.expiresAt ?? null,
      checksum: document?.checksum ?? null,
      renewal,
      warning: warnOfExpiry({ role, renewal, expiresAt }, now),
    };
  });
  const root = roles.find(({ role }) => role === "root");
  const isRootOffline = root?.keys.some(({ state }) => state === "offline") ?? false;
  return {
    repository,
    repoId: told.repoId === "" ? null : told.repoId,
    problem: null,
    keyProblem,
    roles,
    obstacles: {
      rotate: isRootOffline ? ROOT_OFFLINE : null,
      reSign: null,
      pushTargets: repository === "image" ? null : "The director signs targets for each device when it asks.",
    },
  };
}

function renewalOf(states: readonly KeyState[], hasDocument: boolean): Renewal {
  if (states.includes("offline")) return "person";
  if (states.includes("not_known")) return "not_known";
  return hasDocument ? "automatic" : "per_device";
}

/** What is signed every day, or for each device, must stay here. */
function mayGoOffline(repository: RepositoryName, role: string): boolean {
  return role === "root" || (role === "targets" && repository === "image");
}

const toldState: Told["stateOf"] = (_role, { online }) => (online ? "online" : "offline");

/** An external stack's keyserver, when its address is known; an error of it is "not known". */
async function askKeyserver(
  ctx: BackendCtx,
  repository: RepositoryName,
): Promise<{ state: KeyState; keyProblem: string | null }> {
  const unasked = { state: "not_known" as const, keyProblem: "This back end does not say which keys are online." };
  if (repository !== "image" || ctx.config.KEYSERVER_URL === undefined) return unasked;
  try {
    const repoId = await ctx.backends.repositoryKeys.findRepoId(ctx);
    const has = repoId === null ? null : await ctx.backends.keyserver.hasTargetsKeys(ctx, repoId);
    if (has === null) return { state: "not_known", keyProblem: "The keyserver does not say which keys are online." };
    return { state: has ? "online" : "offline", keyProblem: null };
  } catch (error) {
    if (!isAppError(error) || !error.code.startsWith("backend.")) throw error;
    return { state: "not_known", keyProblem: error.message };
  }
}

import type { z } from "zod";
import { type CreateRoot, RepoId } from "#lib/contracts/ota/keyserver.ts";
import type { Ctx } from "#lib/ctx.ts";
import { AppError, isAppError } from "#lib/errors/app-error.ts";
import type { ErrorCode } from "#lib/errors/codes.ts";
import type { Json, JsonObject } from "#lib/uptane/json.ts";
import { ROOT_ROLES } from "#lib/uptane/next-root.ts";
import { describeKeys } from "./key-material.ts";
import { addRepo } from "./repositories.ts";
import { currentRoot } from "./root.ts";
import { type OwnKind, signRole } from "./service.ts";
import * as store from "./store.ts";
import { pushRoot, rotateRoot, setExpireNotBefore } from "./succession.ts";

/*
 * What a caller of the HTTP contract may do with a repository, under the contract's own codes. Inside the embedded services
 * the functions of service.ts are called instead.
 */

/** Where keys of a repository are changed that has documents which these keys signed. */
const CHANGED_AT: Record<OwnKind, string> = {
  image: "/api/v1/user_repo/root",
  director: "/api/v1/admin/repo/root",
};

/** A repository of the caller's namespace. @throws AppError `ota.repo_root_keys_not_found` */
export async function requireOwnRepo(ctx: Ctx, given: string): Promise<store.RepoFacts> {
  const parsed = RepoId.safeParse(given);
  const repo = parsed.success ? await store.findOwnRepo(ctx.db, ctx.namespaceId, parsed.data) : null;
  if (repo === null) throw new AppError("ota.repo_root_keys_not_found", "There is no repository of this id.");
  return repo;
}

/**
 * Makes a standalone repository: keys and a root, for a service elsewhere that keeps its own documents.
 *
 * @throws AppError `ota.conflicting_entity` | `ota.invalid_entity` (the id is no UUID)
 */
export async function createRoot(ctx: Ctx, given: string, wanted: z.output<typeof CreateRoot>): Promise<void> {
  const repoId = RepoId.safeParse(given);
  if (!repoId.success) throw new AppError("ota.invalid_entity", "A repository's id is a UUID.");
  const { keyType, threshold } = wanted;
  await addRepo(ctx, "standalone", { repoId: repoId.data, keyType, threshold });
}

/**
 * The root in force, which does not end before `notBefore`, now and from now on.
 *
 * @throws AppError `ota.repo_root_keys_not_found` | `ota.set_root_expire_failed` (its key is offline)
 */
export async function readRoot(ctx: Ctx, given: string, notBefore: Date | undefined): Promise<Buffer> {
  const { repoId, expireNotBefore } = await requireOwnRepo(ctx, given);
  if (notBefore !== undefined && notBefore > (expireNotBefore ?? new Date(0))) {
    await setExpireNotBefore(ctx, repoId, notBefore);
  }
  const { bytes } = await currentRoot(ctx, repoId);
  return bytes;
}

/** @throws AppError `ota.repo_root_keys_not_found` | `ota.conflicting_entity` | `ota.private_keys_offline` */
export async function rotate(ctx: Ctx, given: string): Promise<void> {
  const { repoId } = await requireStandalone(ctx, given, "PUT", "/rotate");
  await underCode({ "ota.role_key_not_found": "ota.private_keys_offline" }, () => rotateRoot(ctx, repoId));
}

/** @throws AppError `ota.repo_root_keys_not_found` | `ota.conflicting_entity` | `ota.root_role_refused` (its detail lists every reason) */
export async function push(ctx: Ctx, given: string, signedRoot: Json): Promise<void> {
  const { repoId } = await requireStandalone(ctx, given, "POST", "");
  await underCode({ "ota.invalid_root_role": "ota.root_role_refused" }, () => pushRoot(ctx, repoId, signedRoot));
}

/**
 * Signs what it is given with all keys of the role.
 *
 * @throws AppError `ota.repo_root_keys_not_found` | `ota.role_keys_not_found` (the root has no such role) |
 *   `ota.private_keys_not_found` (a key is offline) | `uptane.too_large`
 * @see contracts/reposerver-keyserver.md section 7.2
 */
export async function sign(ctx: Ctx, given: string, of: { role: string; payload: JsonObject }): Promise<Buffer> {
  const { repoId } = await requireOwnRepo(ctx, given);
  const { roles } = await describeKeys(ctx, repoId);
  const role = ROOT_ROLES.find((name) => name === of.role && roles.some((one) => one.role === name));
  if (role === undefined) throw new AppError("ota.role_keys_not_found", "The root has no role of this name.");
  const { bytes } = await underCode({ "ota.role_key_not_found": "ota.private_keys_not_found" }, () =>
    signRole(ctx, repoId, role, of.payload),
  );
  return bytes;
}

/** Whether targets can be signed here; no key is opened for that. @throws AppError `ota.repo_root_keys_not_found` */
export async function hasTargetsKeys(ctx: Ctx, given: string): Promise<boolean> {
  const { repoId } = await requireOwnRepo(ctx, given);
  const { roles } = await describeKeys(ctx, repoId);
  const targets = roles.find(({ role }) => role === "targets");
  return targets?.keys.every(({ online }) => online) ?? false;
}

/**
 * Other keys for the image repository or the director's would leave documents that nobody trusts any more. Their own services change
 * keys and sign these anew in one transaction, so the way leads there.
 */
async function requireStandalone(ctx: Ctx, given: string, method: string, path: string): Promise<store.RepoFacts> {
  const repo = await requireOwnRepo(ctx, given);
  if (repo.kind === "standalone") return repo;
  const right = `${method} ${CHANGED_AT[repo.kind]}${path}`;
  throw new AppError("ota.conflicting_entity", `What these keys signed must change with them. Use ${right}.`, {
    context: { repoId: repo.repoId, kind: repo.kind },
  });
}

/** The same failure has another name where it is asked for over HTTP. */
async function underCode<T>(codes: Partial<Record<ErrorCode, ErrorCode>>, act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (cause) {
    const code = isAppError(cause) ? codes[cause.code] : undefined;
    if (!isAppError(cause) || code === undefined) throw cause;
    throw new AppError(code, cause.message, { cause, detail: cause.detail, context: cause.context });
  }
}

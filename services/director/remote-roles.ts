import type { SetRemoteCommands, SetRemoteSessions } from "#lib/contracts/ota/director.ts";
import type { Ctx } from "#lib/ctx.ts";
import { AppError, isAppError } from "#lib/errors/app-error.ts";
import { canonicalBytes } from "#lib/uptane/canonical.ts";
import { assertThreshold, parseEnvelope } from "#lib/uptane/envelope.ts";
import { parseExpires } from "#lib/uptane/expiry.ts";
import { isJsonObject, type Json, type JsonObject } from "#lib/uptane/json.ts";
import { METADATA_LIMITS } from "#lib/uptane/limits.ts";
import { parseFullRoot } from "#lib/uptane/next-root.ts";
import { member, readInteger, readString } from "#lib/uptane/read.ts";
import { currentRoot, ensureRole } from "#services/keyserver/service.ts";
import { getRenewed, lockRoles, missingRole, REPO_ROLE_VALID_MS, signNext } from "./offline-roles.ts";
import { requireDirectorRepo } from "./repository.ts";
import * as store from "./store-repo-roles.ts";
import { signedPart } from "./targets.ts";

/* Who may reach devices by SSH, and which commands they take: one signed role of the repository. contracts/director.md section 1. */

/** Without sessions, this is all the role says of them. */
const NO_SESSIONS: JsonObject = { version: "v1alpha" };

/** @throws AppError `ota.no_repo_for_namespace` | `ota.role_key_not_found` | `uptane.too_large` | `keys.unsealable` */
export async function setRemoteSessions(ctx: Ctx, { remoteSessions }: SetRemoteSessions): Promise<Buffer> {
  return change(ctx, { remote_sessions: withoutNulls(remoteSessions) });
}

/** @throws AppError as {@link setRemoteSessions} */
export async function setRemoteCommands(ctx: Ctx, { remoteCommands }: SetRemoteCommands): Promise<void> {
  await change(ctx, { remote_commands: withoutNulls(remoteCommands) });
}

/** Signed again when less than a quarter of its year is left. @throws AppError `ota.missing_admin_role` | `ota.no_repo_for_namespace` */
export async function getRemoteSessions(ctx: Ctx): Promise<Buffer> {
  return getRenewed(ctx, await keyOf(ctx));
}

/**
 * Takes a version of the role that somebody signed elsewhere.
 *
 * @throws AppError `ota.invalid_signed_payload` (not the role, expired, or not signed by its keys) | `ota.invalid_version_bump` |
 *   `ota.no_repo_for_namespace`
 */
export async function pushRemoteSessions(ctx: Ctx, document: Json): Promise<void> {
  const key = await keyOf(ctx);
  await ensureRole(ctx, key.repoId, "remote-sessions");
  const row = await verified(ctx, key.repoId, document);
  await ctx.db.$transaction(async (tx) => {
    await lockRoles(tx, key.repoId);
    const expected = (await store.latestVersion(tx, key)) + 1;
    if (row.version !== expected) {
      throw new AppError("ota.invalid_version_bump", `The next version is ${expected}, not ${row.version}.`);
    }
    await store.insertRepoRole(tx, key, { ...row, createdAt: ctx.clock() });
  });
}

async function change(ctx: Ctx, part: JsonObject): Promise<Buffer> {
  const key = await keyOf(ctx);
  await ensureRole(ctx, key.repoId, "remote-sessions");
  const expiresAt = new Date(ctx.clock().getTime() + REPO_ROLE_VALID_MS);
  return ctx.db.$transaction(async (tx) => {
    await lockRoles(tx, key.repoId);
    const latest = await store.findRepoRole(tx, key);
    const before = latest === null ? { remote_sessions: NO_SESSIONS } : signedPart(latest.bytes);
    const content = { ...before, ...part, _type: "Remote-Sessions" };
    return (await signNext(tx, ctx, { key, expiresAt, content })).bytes;
  });
}

async function verified(ctx: Ctx, repoId: string, document: Json): Promise<store.RepoRoleRow> {
  const root = parseFullRoot(signedPart((await currentRoot(ctx, repoId)).bytes));
  const role = root.roles.get("remote-sessions");
  if (role === undefined) throw missingRole();
  try {
    const bytes = canonicalBytes(document);
    const envelope = parseEnvelope(bytes, METADATA_LIMITS.root);
    assertThreshold(envelope, root.keys, role);
    const { signed, sha256: checksum } = envelope;
    const expiresAt = parseExpires(readString(member(signed, "expires"), "expires"));
    if (
      member(signed, "_type") !== "Remote-Sessions" ||
      !isJsonObject(member(signed, "remote_sessions")) ||
      expiresAt <= ctx.clock()
    ) {
      throw new AppError("ota.invalid_signed_payload", "This is no remote sessions role that is in force.");
    }
    return { version: readInteger(member(signed, "version"), "version", 1), bytes, checksum, expiresAt };
  } catch (cause) {
    if (!isAppError(cause) || cause.code === "ota.invalid_signed_payload") throw cause;
    throw new AppError("ota.invalid_signed_payload", cause.message, { cause });
  }
}

async function keyOf(ctx: Ctx): Promise<store.RepoRoleKey> {
  return { repoId: await requireDirectorRepo(ctx), role: "remote-sessions", name: "" };
}

/** Members that are null are left out, however deep: devices have no room for them. */
function withoutNulls(value: object): JsonObject {
  const text = JSON.stringify(value, (_name, part: unknown) => (part === null ? undefined : part));
  const parsed: unknown = JSON.parse(text);
  return parsed as JsonObject; // printed from JSON that its schema has read
}

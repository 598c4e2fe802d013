import type { Ctx } from "#lib/ctx.ts";
import type { Tx } from "#lib/db/client.ts";
import { AppError } from "#lib/errors/app-error.ts";
import type { KeyType } from "#lib/uptane/keys.ts";
import { ROOT_ROLES, type RootRoleName } from "#lib/uptane/next-root.ts";
import { type AuditRecord, recordByMachine } from "#services/audit/service.ts";
import { latestRoot, lockRoot, rootOf } from "./root.ts";
import { openPrivate } from "./sealing.ts";
import * as store from "./store.ts";

/** A key with both parts, as tools read it. */
export type KeyPairJson = {
  readonly keytype: KeyType;
  readonly keyval: { readonly public: string; readonly private: string };
};

export type RoleKeysFacts = {
  readonly role: RootRoleName;
  readonly threshold: number;
  readonly keys: readonly { readonly keyId: string; readonly type: KeyType; readonly online: boolean }[];
};

/**
 * A key with its private part. Whoever calls this gives the key away: it must be an owner of the repository who asked for it.
 *
 * @throws AppError `ota.keypair_not_found` (unknown, or offline) | `keys.unsealable`
 */
export async function exportKey(ctx: Ctx, repoId: string, keyId: string): Promise<KeyPairJson> {
  const row = await ctx.db.$transaction(async (tx) => {
    const [found] = await store.privateKeys(tx, repoId, keyId);
    if (found === undefined) throw missing();
    await recordKeyAct(tx, ctx, repoId, { action: "keys.export", after: { keyId } });
    return found;
  });
  ctx.log.info({ repoId, keyId }, "a private key was handed out");
  return toPair(ctx, repoId, row);
}

/** Takes a key offline for good; its public part stays listed. @throws AppError `ota.keypair_not_found` */
export async function deletePrivateKey(ctx: Ctx, repoId: string, keyId: string): Promise<void> {
  await ctx.db.$transaction(async (tx) => {
    await lockRoot(tx, repoId);
    const deleted = await store.dropPrivateKeys(tx, repoId, { keyIds: [keyId] });
    if (deleted === 0) throw missing();
    await store.renewStamp(tx, repoId);
    await recordKeyAct(tx, ctx, repoId, { action: "keys.take_offline", after: { keyId } });
  });
  ctx.log.info({ repoId, keyId }, "a private key was deleted");
}

/** What a machine client does with the keys of a repository, in the audit log. */
export async function recordKeyAct(
  tx: Tx,
  ctx: Ctx,
  repoId: string,
  act: Pick<AuditRecord, "action" | "after">,
): Promise<void> {
  const kind = (await store.repoFacts(tx, repoId))?.kind ?? "standalone";
  const target =
    kind === "standalone"
      ? ({ kind: "repository", id: repoId } as const)
      : ({ kind: "repository", id: kind, name: `${kind} repository` } as const);
  await recordByMachine(tx, ctx, { ...act, target });
}

/** The targets keys with their private parts; null when one of them is offline. @throws AppError `ota.no_repo_for_namespace` */
export async function targetsKeyPairs(ctx: Ctx, repoId: string): Promise<readonly KeyPairJson[] | null> {
  const latest = await latestRoot(ctx.db, repoId);
  const keyIds = new Set(rootOf(latest.bytes).roles.get("targets")?.keyids);
  const rows = (await store.privateKeys(ctx.db, repoId)).filter(({ keyId }) => keyIds.has(keyId));
  const byId = new Map(rows.map((row) => [row.keyId, row]));
  if (byId.size < keyIds.size || keyIds.size === 0) return null;
  return [...byId.values()].map((row) => toPair(ctx, repoId, row));
}

/** Which keys speak for which role, and which of them can sign here. @throws AppError `ota.no_repo_for_namespace` */
export async function describeKeys(
  ctx: Ctx,
  repoId: string,
): Promise<{ rootVersion: number; expiresAt: Date; expireNotBefore: Date | null; roles: RoleKeysFacts[] }> {
  const latest = await latestRoot(ctx.db, repoId);
  const repo = await store.repoFacts(ctx.db, repoId);
  const online = new Set((await store.privateKeys(ctx.db, repoId)).map(({ keyId }) => keyId));
  const root = rootOf(latest.bytes);
  const roles = ROOT_ROLES.flatMap((role) => {
    const listed = root.roles.get(role);
    if (listed === undefined) return [];
    const keys = [...new Set(listed.keyids)].map((keyId) => ({
      keyId,
      type: root.keys.get(keyId)?.keytype ?? "ED25519",
      online: online.has(keyId),
    }));
    return [{ role, threshold: listed.threshold, keys }];
  });
  return {
    rootVersion: latest.version,
    expiresAt: latest.expiresAt,
    expireNotBefore: repo?.expireNotBefore ?? null,
    roles,
  };
}

function toPair(ctx: Ctx, repoId: string, row: store.PrivateKeyRow): KeyPairJson {
  return { keytype: row.keyType, keyval: { public: row.publicValue, private: openPrivate(ctx, repoId, row) } };
}

function missing(): AppError {
  return new AppError("ota.keypair_not_found", "There is no private key of this id.");
}

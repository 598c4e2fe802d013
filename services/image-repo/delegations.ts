import type { Tx } from "#lib/db/client.ts";
import { AppError, isAppError } from "#lib/errors/app-error.ts";
import {
  type DelegatedRole,
  type Delegations,
  isDelegationName,
  parseDelegatedRoles,
  parseDelegationKeys,
} from "#lib/uptane/delegations.ts";
import type { Json } from "#lib/uptane/json.ts";
import { recordByMachine } from "#services/audit/service.ts";
import { currentRoot, type StoredRoot } from "#services/keyserver/service.ts";
import { REPOSITORY } from "./audited.ts";
import { type DelegatedDocument, readDelegated } from "./delegated-document.ts";
import type { ImageRepoCtx } from "./images.ts";
import { lockRepo, publishDelegations, publishImages } from "./roles.ts";
import * as store from "./store-delegations.ts";

const NOTHING: Delegations = { keys: new Map(), roles: [] };

/** Whom the namespace delegates to. */
export async function readDelegations(ctx: ImageRepoCtx): Promise<Delegations> {
  return (await store.findDelegations(ctx.db, ctx.namespaceId)) ?? NOTHING;
}

/**
 * Replaces the keys that delegated roles may use, and publishes the list.
 *
 * @throws AppError `ota.trusted_delegations_invalid` (a role needs a key that is left out) | `uptane.malformed` |
 *   `uptane.key_type_unsupported`
 * @see contracts/reposerver-keyserver.md section 4
 */
export async function setDelegationKeys(ctx: ImageRepoCtx, repoId: string, keys: readonly Json[]): Promise<void> {
  const given = parseDelegationKeys(keys);
  await changeDelegations(ctx, repoId, ({ roles }) => {
    if (roles.every(({ keyids }) => keyids.every((id) => given.has(id)))) return { keys: given, roles };
    throw new AppError("ota.trusted_delegations_invalid", "A delegated role uses a key that would be gone.");
  });
}

/** Replaces all delegated roles, and publishes the list. @throws AppError `ota.trusted_delegations_invalid` */
export async function setTrusted(ctx: ImageRepoCtx, repoId: string, roles: Json): Promise<void> {
  await changeDelegations(ctx, repoId, ({ keys }) => ({ keys, roles: readRoles(roles, keys) }));
}

/** Trusts a role no more. Its document stays in the snapshot, since devices refuse one that vanishes. @throws AppError `ota.delegations_not_found` */
export async function removeTrusted(ctx: ImageRepoCtx, repoId: string, name: string): Promise<void> {
  await changeDelegations(ctx, repoId, ({ keys, roles }) => {
    const left = roles.filter((role) => role.name !== name);
    if (left.length < roles.length) return { keys, roles: left };
    throw new AppError("ota.delegations_not_found", "There is no such delegation.");
  });
}

/** Where a document came from, when it was fetched. */
export type DelegationSource = {
  uri: string;
  sealedHeaders: Uint8Array<ArrayBuffer> | null;
  friendlyName?: string | undefined;
};

/**
 * Takes a delegated role's document, once it is signed by the role's keys, lists nothing outside of the role's paths and is
 * not older than the one before; then publishes it with a new snapshot.
 *
 * @throws AppError `ota.invalid_delegation_role_name` | `ota.delegations_not_defined` | `ota.payload_signature_invalid` |
 *   `ota.invalid_delegated_target` | `ota.conflicting_entity` (older) | `uptane.expired` | `uptane.malformed` | `uptane.too_large`
 */
export async function putDelegated(
  ctx: ImageRepoCtx,
  repoId: string,
  { name, bytes, source }: { name: string; bytes: Buffer; source: DelegationSource | null },
): Promise<void> {
  const root = await currentRoot(ctx, repoId);
  await ctx.db.$transaction(async (tx) => {
    await lockRepo(tx, repoId);
    const { keys, role } = await requireTrusted(tx, ctx, name);
    const before = await store.findDelegation(tx, ctx.namespaceId, name);
    const now = ctx.clock();
    const document = readDelegated({ bytes, keys, role, now, storedVersion: before?.version ?? undefined });
    await store.putDelegation(tx, ctx.namespaceId, name, {
      ...toColumns(document),
      ...sourceColumns(source, now),
      updatedAt: now,
    });
    await store.putDelegatedTargets(tx, ctx.namespaceId, name, document.targets);
    await publishDelegations(tx, { ctx, repoId, root });
    const after = { role: name, version: document.version, images: document.targets.length };
    await recordByMachine(tx, ctx, { action: "delegations.change", target: REPOSITORY, after });
  });
}

/** @throws AppError `ota.delegations_not_found` also when the role is not trusted any more */
export async function getDelegated(
  ctx: ImageRepoCtx,
  name: string,
): Promise<{ bytes: Buffer; lastFetchedAt: Date | null }> {
  const { roles } = await readDelegations(ctx);
  const document = roles.some((role) => role.name === name)
    ? await store.findDocument(ctx.db, ctx.namespaceId, name)
    : null;
  if (document === null) throw new AppError("ota.delegations_not_found", "There is no such delegated document.");
  return document;
}

/** @throws AppError `ota.invalid_delegation_role_name` | `ota.delegations_not_defined` */
export async function requireTrusted(
  db: ImageRepoCtx["db"] | Tx,
  ctx: ImageRepoCtx,
  name: string,
): Promise<{ keys: Delegations["keys"]; role: DelegatedRole }> {
  if (!isDelegationName(name)) {
    throw new AppError("ota.invalid_delegation_role_name", "This can't be the name of a delegated role.");
  }
  const { keys, roles } = (await store.findDelegations(db, ctx.namespaceId)) ?? NOTHING;
  const role = roles.find((one) => one.name === name);
  if (role === undefined) throw new AppError("ota.delegations_not_defined", "Nothing is delegated under this name.");
  return { keys, role };
}

async function changeDelegations(
  ctx: ImageRepoCtx,
  repoId: string,
  change: (before: Delegations) => Delegations,
): Promise<void> {
  const root: StoredRoot = await currentRoot(ctx, repoId);
  await ctx.db.$transaction(async (tx) => {
    await lockRepo(tx, repoId);
    const after = change((await store.findDelegations(tx, ctx.namespaceId)) ?? NOTHING);
    await store.putDelegations(tx, ctx.namespaceId, after);
    await store.dropDelegatedTargets(
      tx,
      ctx.namespaceId,
      after.roles.map(({ name }) => name),
    );
    await publishImages(tx, { ctx, repoId, root });
    const facts = { roles: after.roles.map(({ name }) => name), keys: [...after.keys.keys()] };
    await recordByMachine(tx, ctx, { action: "delegations.change", target: REPOSITORY, after: facts });
  });
}

function readRoles(roles: Json, keys: Delegations["keys"]): readonly DelegatedRole[] {
  try {
    return parseDelegatedRoles(roles, keys);
  } catch (cause) {
    if (!isAppError(cause, "uptane.malformed")) throw cause;
    throw new AppError("ota.trusted_delegations_invalid", cause.message, { cause });
  }
}

function toColumns({ bytes, checksum, version, expiresAt }: DelegatedDocument) {
  return { bytes: Uint8Array.from(bytes), checksum, version, expiresAt };
}

function sourceColumns(source: DelegationSource | null, now: Date) {
  if (source === null) return {};
  const { uri: remoteUri, sealedHeaders, friendlyName } = source;
  return { remoteUri, sealedHeaders, lastFetchedAt: now, ...(friendlyName === undefined ? {} : { friendlyName }) };
}

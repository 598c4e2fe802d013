import type { Ctx } from "#lib/ctx.ts";
import { type DbOrTx, lockInTransaction, type Tx } from "#lib/db/client.ts";
import { AppError, isAppError } from "#lib/errors/app-error.ts";
import { canonicalBytes } from "#lib/uptane/canonical.ts";
import { buildDelegations } from "#lib/uptane/delegations.ts";
import type { JsonObject } from "#lib/uptane/json.ts";
import { buildImageTargets, buildSnapshot, buildTimestamp } from "#lib/uptane/metadata.ts";
import { canSign, currentRoot, type StoredRoot, signRole } from "#services/keyserver/service.ts";
import { targetsKeysOf } from "./signed-list.ts";
import * as store from "./store.ts";
import { delegatedMeta, findDelegations } from "./store-delegations.ts";
import { toTargetInput } from "./target-item.ts";
import { LEFT_ON_READ_MS, laterOf, ORDER, stalest, VALID_ON_CHANGE_MS, VALID_ON_REFRESH_MS } from "./terms.ts";

export type RoleName = "targets" | "snapshot" | "timestamp";
export type RoleDocument = { role: RoleName; version: number; bytes: Buffer; checksum: string; expiresAt: Date };

/** Bytes by their own checksum, so that what another process signed can never be missed; a few large ones are enough. */
const CACHED_DOCUMENTS = 24;
const cachedDocuments = new Map<string, RoleDocument>();

/**
 * A role in force, exactly as signed; made at the first call, renewed when under an hour is left. One whose keys are offline is what it is,
 * also after its end.
 *
 * The row's checksum is read each time, the bytes only when it is a new one.
 *
 * @throws AppError `uptane.too_large` | `keys.unsealable` | `ota.role_key_not_found` (there is none yet, and its keys are offline)
 */
export async function readRole(ctx: Ctx, repoId: string, role: RoleName): Promise<RoleDocument> {
  const facts = await freshFacts(ctx, repoId);
  const checksum = facts.find((one) => one.role === role)?.checksum ?? "";
  const known = cachedDocuments.get(checksum);
  if (known !== undefined) return known;
  const document = await store.roleDocument(ctx.db, repoId, role);
  if (document === null) throw new AppError("ota.role_not_found", `There is no ${role} metadata.`);
  const oldest = cachedDocuments.keys().next();
  if (cachedDocuments.size >= CACHED_DOCUMENTS && !oldest.done) cachedDocuments.delete(oldest.value);
  cachedDocuments.set(document.checksum, document);
  return document;
}

/**
 * Renews the roles of which less than `leftMs` is left, and those that name them. Targets whose keys are offline stay, and what names
 * them is renewed all the same. Two at once renew once.
 *
 * @returns whether there was something to do
 * @throws AppError `ota.role_key_not_found` (another role's key is offline)
 */
export async function refreshRoles(ctx: Ctx, repoId: string, leftMs: Record<RoleName, number>): Promise<boolean> {
  const root = await currentRoot(ctx, repoId);
  return ctx.db.$transaction(async (tx) => {
    await lockRepo(tx, repoId);
    const facts = await store.roleFacts(tx, repoId);
    const first = await firstToRenew(tx, { ctx, repoId, facts, leftMs });
    if (first === null) return false;
    const validMs = facts.length === 0 ? VALID_ON_CHANGE_MS : VALID_ON_REFRESH_MS;
    await signFrom(tx, { ctx, repoId, root, facts, first, expiresOf: inTime(ctx, validMs) });
    return true;
  });
}

type Publishing = { ctx: Ctx; repoId: string; root: StoredRoot };

/**
 * Signs targets, snapshot and timestamp for the images as they are now. The caller's transaction changed them under
 * `lockRepo`, and holds the lock until all three are stored.
 *
 * @param root from `currentRoot`, read before the transaction
 * @returns the new targets
 * @throws AppError `uptane.too_large` | `uptane.not_canonical` | `ota.role_keys_offline` (with the list that somebody else has to sign)
 */
export async function publishImages(tx: Tx, { ctx, repoId, root }: Publishing): Promise<RoleDocument> {
  const facts = await store.roleFacts(tx, repoId);
  const signing = { ctx, repoId, root, facts, first: "targets", expiresOf: inTime(ctx, VALID_ON_CHANGE_MS) } as const;
  try {
    return await signFrom(tx, signing);
  } catch (cause) {
    if (!isAppError(cause, "ota.role_key_not_found") || cause.context.role !== "targets") throw cause;
    throw await keysOffline(tx, signing, cause);
  }
}

/**
 * Signs snapshot and timestamp for the delegated documents as they are now, under the same rules as {@link publishImages}.
 *
 * @throws AppError `uptane.too_large` | `ota.role_key_not_found`
 */
export async function publishDelegations(tx: Tx, { ctx, repoId, root }: Publishing): Promise<void> {
  const facts = await store.roleFacts(tx, repoId);
  const first = facts.some(({ role }) => role === "targets") ? "snapshot" : "targets";
  await signFrom(tx, { ctx, repoId, root, facts, first, expiresOf: inTime(ctx, VALID_ON_CHANGE_MS) });
}

/**
 * Stores targets that somebody else signed, and signs snapshot and timestamp that end with them, under the same rules as
 * {@link publishImages}.
 *
 * @throws AppError `uptane.too_large` | `ota.role_key_not_found` (of snapshot or timestamp)
 * @see contracts/reposerver-keyserver.md section 5
 */
export async function publishSigned(
  tx: Tx,
  { ctx, repoId, root, targets }: Publishing & { targets: RoleDocument },
): Promise<void> {
  const facts = await store.roleFacts(tx, repoId);
  await store.putRole(tx, repoId, targets, ctx.clock());
  await signFrom(tx, { ctx, repoId, root, facts, first: "snapshot", expiresOf: () => targets.expiresAt });
}

/** One change of a repository at a time, in whatever process: versions rise by one and the three roles fit together. */
export async function lockRepo(tx: Tx, repoId: string): Promise<void> {
  await lockInTransaction(tx, `image-repo:${repoId}`);
}

async function freshFacts(ctx: Ctx, repoId: string): Promise<store.RoleFacts[]> {
  const facts = await store.roleFacts(ctx.db, repoId);
  if ((await firstToRenew(ctx.db, { ctx, repoId, facts, leftMs: LEFT_ON_READ_MS })) === null) return facts;
  await refreshRoles(ctx, repoId, LEFT_ON_READ_MS);
  return store.roleFacts(ctx.db, repoId);
}

/** The first role, in signing order, that is due. Targets that are there and can't be signed here never are. */
async function firstToRenew(
  db: DbOrTx,
  of: { ctx: Ctx; repoId: string; facts: store.RoleFacts[]; leftMs: Record<RoleName, number> },
): Promise<RoleName | null> {
  const { ctx, repoId, facts, leftMs } = of;
  const now = ctx.clock();
  const first = stalest(facts, { leftMs, now });
  if (first !== "targets" || !facts.some(({ role }) => role === "targets")) return first;
  if (await canSign({ keys: ctx.keys, db }, repoId, "targets")) return first;
  return stalest(facts, { leftMs, now, among: ["snapshot", "timestamp"] });
}

type Signing = Publishing & {
  facts: store.RoleFacts[];
  first: RoleName;
  expiresOf: (role: RoleName) => Date;
};

function inTime(ctx: Ctx, validMs: Record<RoleName, number>): Signing["expiresOf"] {
  const now = ctx.clock().getTime();
  return (role) => new Date(now + validMs[role]);
}

async function signFrom(tx: Tx, signing: Signing): Promise<RoleDocument> {
  const from = ORDER.indexOf(signing.first);
  const targets = from <= 0 ? await signTargets(tx, signing) : await existing(tx, signing.repoId, "targets");
  const snapshot =
    from <= 1 ? await signSnapshot(tx, signing, targets) : await existing(tx, signing.repoId, "snapshot");
  await signTimestamp(tx, signing, snapshot);
  return targets;
}

async function signTargets(tx: Tx, signing: Signing): Promise<RoleDocument> {
  return signAndStore(tx, signing, "targets", await targetsBuilder(tx, signing));
}

type Build = (dated: { version: number; expires: Date }) => JsonObject;

async function targetsBuilder(tx: Tx, { ctx }: Signing): Promise<Build> {
  const targets = (await store.allImages(tx, ctx.namespaceId)).map(toTargetInput);
  const block = await findDelegations(tx, ctx.namespaceId);
  const delegations = block === null ? null : buildDelegations(block);
  return (dated) => buildImageTargets({ ...dated, targets, delegations });
}

/** What whoever has the keys must sign for the change to be made. @see contracts/reposerver-keyserver.md section 5 */
async function keysOffline(tx: Tx, signing: Signing, cause: AppError): Promise<AppError> {
  const build = await targetsBuilder(tx, signing);
  const unsigned = canonicalBytes(build(await nextOf(tx, signing, "targets")));
  const { keyids, threshold } = targetsKeysOf(signing.root).role;
  const detail = { unsigned_metadata_base64: unsigned.toString("base64"), required_key_ids: keyids, threshold };
  return new AppError(
    "ota.role_keys_offline",
    "The targets keys are offline: images are changed by a list that is signed elsewhere.",
    { cause, detail },
  );
}

async function signSnapshot(tx: Tx, signing: Signing, targets: RoleDocument): Promise<RoleDocument> {
  const delegated = await delegatedMeta(tx, signing.ctx.namespaceId);
  const meta = { ...delegated, "root.json": metaOf(signing.root), "targets.json": metaOf(targets) };
  return signAndStore(tx, signing, "snapshot", (dated) => buildSnapshot({ ...dated, meta }));
}

async function signTimestamp(tx: Tx, signing: Signing, snapshot: RoleDocument): Promise<RoleDocument> {
  return signAndStore(tx, signing, "timestamp", (dated) => buildTimestamp({ ...dated, snapshot: metaOf(snapshot) }));
}

async function signAndStore(tx: Tx, signing: Signing, role: RoleName, build: Build): Promise<RoleDocument> {
  const { ctx, repoId } = signing;
  const { version, expires: expiresAt } = await nextOf(tx, signing, role);
  const signed = build({ version, expires: expiresAt });
  const { bytes, checksum } = await signRole({ keys: ctx.keys, db: tx }, repoId, role, signed);
  const document = { role, version, bytes, checksum, expiresAt };
  await store.putRole(tx, repoId, document, ctx.clock());
  return document;
}

async function nextOf(tx: Tx, { repoId, facts, expiresOf }: Signing, role: RoleName) {
  const version = (facts.find((one) => one.role === role)?.version ?? 0) + 1;
  return { version, expires: laterOf(expiresOf(role), await store.expireNotBefore(tx, repoId)) };
}

async function existing(tx: Tx, repoId: string, role: RoleName): Promise<RoleDocument> {
  const document = await store.roleDocument(tx, repoId, role);
  if (document === null) throw new AppError("internal.error", `There is no ${role} metadata to renew.`);
  return document;
}

function metaOf(document: { bytes: Buffer; checksum: string; version: number }) {
  return { checksum: document.checksum, length: document.bytes.length, version: document.version };
}

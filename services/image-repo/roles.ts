import type { Ctx } from "#lib/ctx.ts";
import { lockInTransaction, type Tx } from "#lib/db/client.ts";
import { AppError } from "#lib/errors/app-error.ts";
import { buildDelegations } from "#lib/uptane/delegations.ts";
import { buildImageTargets, buildSnapshot, buildTimestamp } from "#lib/uptane/metadata.ts";
import { currentRoot, type StoredRoot, signRole } from "#services/keyserver/service.ts";
import * as store from "./store.ts";
import { delegatedMeta, findDelegations } from "./store-delegations.ts";
import { toTargetInput } from "./target-item.ts";

export type RoleName = "targets" | "snapshot" | "timestamp";
export type RoleDocument = { role: RoleName; version: number; bytes: Buffer; checksum: string; expiresAt: Date };

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** How long each role is good for after a change of images, and after being merely renewed. @see contracts/reposerver-keyserver.md section 6 */
const VALID_ON_CHANGE_MS: Record<RoleName, number> = {
  targets: 31 * DAY_MS,
  snapshot: 31 * DAY_MS,
  timestamp: 31 * DAY_MS,
};
const VALID_ON_REFRESH_MS: Record<RoleName, number> = {
  targets: 30 * DAY_MS,
  snapshot: 30 * DAY_MS,
  timestamp: DAY_MS,
};

/** What must be left of a role when it is read, and what the worker takes care of. */
const LEFT_ON_READ_MS: Record<RoleName, number> = { targets: HOUR_MS, snapshot: HOUR_MS, timestamp: HOUR_MS };
export const LEFT_FOR_WORKER_MS: Record<RoleName, number> = {
  targets: 3 * DAY_MS,
  snapshot: 3 * DAY_MS,
  timestamp: 8 * HOUR_MS,
};

/** From each role on, all that name it must be made anew too. */
const ORDER: readonly RoleName[] = ["targets", "snapshot", "timestamp"];

/** Bytes by their own checksum, so that what another process signed can never be missed; a few large ones are enough. */
const CACHED_DOCUMENTS = 24;
const cachedDocuments = new Map<string, RoleDocument>();

/**
 * A role in force, exactly as signed; made at the first call, renewed when under an hour is left.
 *
 * The row's checksum is read each time, the bytes only when it is a new one.
 *
 * @throws AppError `uptane.too_large` | `keys.unsealable`
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
 * Renews the roles of which less than `leftMs` is left, and those that name them. Two at once renew once.
 *
 * @returns whether there was something to do
 */
export async function refreshRoles(ctx: Ctx, repoId: string, leftMs: Record<RoleName, number>): Promise<boolean> {
  const root = await currentRoot(ctx, repoId);
  return ctx.db.$transaction(async (tx) => {
    await lockRepo(tx, repoId);
    const facts = await store.roleFacts(tx, repoId);
    const first = stalest(facts, leftMs, ctx.clock());
    if (first === null) return false;
    const validMs = facts.length === 0 ? VALID_ON_CHANGE_MS : VALID_ON_REFRESH_MS;
    await signFrom(tx, { ctx, repoId, root, facts, first, validMs });
    return true;
  });
}

/**
 * Signs targets, snapshot and timestamp for the images as they are now. The caller's transaction changed them under
 * `lockRepo`, and holds the lock until all three are stored.
 *
 * @param root from `currentRoot`, read before the transaction
 * @returns the new targets
 * @throws AppError `uptane.too_large` | `uptane.not_canonical`
 */
export async function publishImages(
  tx: Tx,
  { ctx, repoId, root }: { ctx: Ctx; repoId: string; root: StoredRoot },
): Promise<RoleDocument> {
  const facts = await store.roleFacts(tx, repoId);
  return signFrom(tx, { ctx, repoId, root, facts, first: "targets", validMs: VALID_ON_CHANGE_MS });
}

/**
 * Signs snapshot and timestamp for the delegated documents as they are now, under the same rules as {@link publishImages}.
 *
 * @throws AppError `uptane.too_large`
 */
export async function publishDelegations(
  tx: Tx,
  { ctx, repoId, root }: { ctx: Ctx; repoId: string; root: StoredRoot },
): Promise<void> {
  const facts = await store.roleFacts(tx, repoId);
  const first = facts.some(({ role }) => role === "targets") ? "snapshot" : "targets";
  await signFrom(tx, { ctx, repoId, root, facts, first, validMs: VALID_ON_CHANGE_MS });
}

/** One change of a repository at a time, in whatever process: versions rise by one and the three roles fit together. */
export async function lockRepo(tx: Tx, repoId: string): Promise<void> {
  await lockInTransaction(tx, `image-repo:${repoId}`);
}

async function freshFacts(ctx: Ctx, repoId: string): Promise<store.RoleFacts[]> {
  const facts = await store.roleFacts(ctx.db, repoId);
  if (stalest(facts, LEFT_ON_READ_MS, ctx.clock()) === null) return facts;
  await refreshRoles(ctx, repoId, LEFT_ON_READ_MS);
  return store.roleFacts(ctx.db, repoId);
}

type Signing = {
  ctx: Ctx;
  repoId: string;
  root: StoredRoot;
  facts: store.RoleFacts[];
  first: RoleName;
  validMs: Record<RoleName, number>;
};

async function signFrom(tx: Tx, signing: Signing): Promise<RoleDocument> {
  const from = ORDER.indexOf(signing.first);
  const targets = from <= 0 ? await signTargets(tx, signing) : await existing(tx, signing.repoId, "targets");
  const snapshot =
    from <= 1 ? await signSnapshot(tx, signing, targets) : await existing(tx, signing.repoId, "snapshot");
  await signTimestamp(tx, signing, snapshot);
  return targets;
}

async function signTargets(tx: Tx, signing: Signing): Promise<RoleDocument> {
  const images = await store.allImages(tx, signing.ctx.namespaceId);
  const targets = images.map(toTargetInput);
  const block = await findDelegations(tx, signing.ctx.namespaceId);
  const delegations = block === null ? null : buildDelegations(block);
  return signAndStore(tx, signing, "targets", (dated) => buildImageTargets({ ...dated, targets, delegations }));
}

async function signSnapshot(tx: Tx, signing: Signing, targets: RoleDocument): Promise<RoleDocument> {
  const delegated = await delegatedMeta(tx, signing.ctx.namespaceId);
  const meta = { ...delegated, "root.json": metaOf(signing.root), "targets.json": metaOf(targets) };
  return signAndStore(tx, signing, "snapshot", (dated) => buildSnapshot({ ...dated, meta }));
}

async function signTimestamp(tx: Tx, signing: Signing, snapshot: RoleDocument): Promise<RoleDocument> {
  return signAndStore(tx, signing, "timestamp", (dated) => buildTimestamp({ ...dated, snapshot: metaOf(snapshot) }));
}

async function signAndStore(
  tx: Tx,
  { ctx, repoId, facts, validMs }: Signing,
  role: RoleName,
  build: (dated: { version: number; expires: Date }) => ReturnType<typeof buildTimestamp>,
): Promise<RoleDocument> {
  const now = ctx.clock();
  const version = (facts.find((one) => one.role === role)?.version ?? 0) + 1;
  const expiresAt = new Date(now.getTime() + validMs[role]);
  const { bytes, checksum } = await signRole(
    { keys: ctx.keys, db: tx },
    repoId,
    role,
    build({ version, expires: expiresAt }),
  );
  const document = { role, version, bytes, checksum, expiresAt };
  await store.putRole(tx, repoId, document, now);
  return document;
}

async function existing(tx: Tx, repoId: string, role: RoleName): Promise<RoleDocument> {
  const document = await store.roleDocument(tx, repoId, role);
  if (document === null) throw new AppError("internal.error", `There is no ${role} metadata to renew.`);
  return document;
}

function metaOf(document: { bytes: Buffer; checksum: string; version: number }) {
  return { checksum: document.checksum, length: document.bytes.length, version: document.version };
}

/** The first role, in signing order, that is missing or too near its end. */
function stalest(facts: store.RoleFacts[], leftMs: Record<RoleName, number>, now: Date): RoleName | null {
  const isStale = (role: RoleName) => {
    const expiresAt = facts.find((one) => one.role === role)?.expiresAt;
    return expiresAt === undefined || expiresAt.getTime() - now.getTime() < leftMs[role];
  };
  return ORDER.find(isStale) ?? null;
}

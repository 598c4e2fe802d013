import type { Ctx } from "#lib/ctx.ts";
import type { Tx } from "#lib/db/client.ts";
import { AppError, isAppError } from "#lib/errors/app-error.ts";
import type { Json, JsonObject } from "#lib/uptane/json.ts";
import { generateKeyPair, type KeyPair, serverKeyId, signerFromPrivate, type TufKey } from "#lib/uptane/keys.ts";
import { type FullRoot, judgeNextRoot, printFullRoot, type RootRoleName } from "#lib/uptane/next-root.ts";
import { recordKeyAct } from "./key-material.ts";
import { latestRoot, lockRoot, rootExpiry, rootOf, signNextRoot } from "./root.ts";
import { sealedRow } from "./sealing.ts";
import type { StoredRoot } from "./service.ts";
import * as store from "./store.ts";

/**
 * Replaces root and targets keys by new Ed25519 keys, as many as before. The new root is signed by old and new root keys; the old
 * private keys are gone. What the old targets key signed must be made anew: `rotateRootIn` lets that happen in the same transaction.
 *
 * @throws AppError `ota.role_key_not_found` (a root key is offline) | `ota.no_repo_for_namespace` | `keys.unsealable`
 * @see contracts/reposerver-keyserver.md section 7.3; TUF 1.0.31 section 6.1
 */
export async function rotateRoot(ctx: Ctx, repoId: string): Promise<StoredRoot> {
  return ctx.db.$transaction((tx) => rotateRootIn(tx, ctx, repoId));
}

/** {@link rotateRoot} as a part of the caller's transaction, which took its own locks before. */
export async function rotateRootIn(tx: Tx, ctx: Ctx, repoId: string): Promise<StoredRoot> {
  const latest = await lockRoot(tx, repoId);
  const old = rootOf(latest.bytes);
  const made = (["root", "targets"] as const).map((role) => ({
    role,
    threshold: old.roles.get(role)?.threshold ?? 1,
    pairs: Array.from({ length: new Set(old.roles.get(role)?.keyids).size }, () => generateKeyPair("ED25519")),
  }));
  const root = await signNextRoot(tx, ctx, {
    repoId,
    latest,
    change: (current) => made.reduce(withRole, current),
    extra: made
      .filter(({ role }) => role === "root")
      .flatMap(({ pairs }) => pairs.map((pair) => signerFromPrivate("ED25519", pair.privateKey))),
  });
  const rows = made.flatMap(({ role, pairs }) => pairs.map((pair) => sealedRow(ctx, { repoId, role, pair })));
  await store.insertKeys(tx, rows);
  await keepOnlyListed(tx, ctx, { repoId, root: rootOf(root.bytes) });
  return root;
}

/** The next root without signatures, for somebody whose keys are not here. @throws AppError `ota.no_repo_for_namespace` */
export async function unsignedRoot(ctx: Ctx, repoId: string): Promise<JsonObject> {
  const latest = await latestRoot(ctx.db, repoId);
  const repo = await store.repoFacts(ctx.db, repoId);
  const expires = rootExpiry(ctx, repo?.expireNotBefore ?? null);
  return printFullRoot({ ...rootOf(latest.bytes), version: latest.version + 1, expires });
}

/**
 * Puts a root in force that somebody else signed, and deletes every private key that it does not list.
 *
 * @throws AppError `ota.invalid_root_role` (its detail lists every reason) | `ota.no_repo_for_namespace`
 * @see contracts/reposerver-keyserver.md section 7.4
 */
export async function pushRoot(ctx: Ctx, repoId: string, signedRoot: Json): Promise<StoredRoot> {
  return ctx.db.$transaction((tx) => pushRootIn(tx, ctx, { repoId, signedRoot }));
}

/** {@link pushRoot} as a part of the caller's transaction, which took its own locks before. */
export async function pushRootIn(
  tx: Tx,
  ctx: Ctx,
  { repoId, signedRoot }: { repoId: string; signedRoot: Json },
): Promise<StoredRoot> {
  const latest = await lockRoot(tx, repoId);
  const verdict = judgeNextRoot(latest.bytes, signedRoot, ctx.clock());
  if (!verdict.ok) {
    throw new AppError("ota.invalid_root_role", "The root can't follow the one in force.", {
      detail: verdict.reasons.map(({ text }) => text),
      context: { repoId, reasons: verdict.reasons.map(({ code }) => code).join(" ") },
    });
  }
  const { root, document } = verdict;
  const stored = {
    bytes: document.bytes,
    checksum: document.checksum,
    version: root.version,
    expiresAt: root.expires,
  };
  await store.insertRoot(tx, repoId, stored);
  await store.insertKeys(tx, publicRows(repoId, root));
  await keepOnlyListed(tx, ctx, { repoId, root });
  return stored;
}

/**
 * Adds the keys of offline updates or of remote sessions to the root, once.
 *
 * @throws AppError `ota.role_key_not_found` | `ota.no_repo_for_namespace` | `keys.unsealable`
 * @see contracts/reposerver-keyserver.md section 7; contracts/uptane-metadata.md section 10
 */
export async function ensureRole(
  ctx: Ctx,
  repoId: string,
  role: "offline-updates" | "remote-sessions",
): Promise<StoredRoot> {
  // Both offline roles are signed by one key.
  const roles: RootRoleName[] = role === "offline-updates" ? ["offline-updates", "offline-snapshot"] : [role];
  return ctx.db.$transaction(async (tx) => {
    const latest = await lockRoot(tx, repoId);
    if (rootOf(latest.bytes).roles.has(role)) return latest;
    const pairs = [generateKeyPair("ED25519")];
    const change = (current: FullRoot) =>
      roles.map((name) => ({ role: name, threshold: 1, pairs })).reduce(withRole, current);
    const root = await signNextRoot(tx, ctx, { repoId, latest, change });
    await store.insertKeys(
      tx,
      pairs.map((pair) => sealedRow(ctx, { repoId, role, pair })),
    );
    await store.renewStamp(tx, repoId);
    return root;
  });
}

/**
 * From now on no root of the repository ends before this instant. The one in force is re-signed when it would.
 *
 * @throws AppError `ota.set_root_expire_failed` (the root ends earlier and its key is offline; nothing is changed then)
 * @see contracts/reposerver-keyserver.md section 2
 */
export async function setExpireNotBefore(ctx: Ctx, repoId: string, instant: Date): Promise<StoredRoot> {
  try {
    return await ctx.db.$transaction(async (tx) => {
      const latest = await lockRoot(tx, repoId);
      await store.setExpireNotBefore(tx, repoId, instant);
      const lasts = latest.expiresAt.getTime() >= Math.floor(instant.getTime() / 1_000) * 1_000;
      const root = lasts ? latest : await signNextRoot(tx, ctx, { repoId, latest });
      await recordKeyAct(tx, ctx, repoId, { action: "keys.set_expiry", after: { notBefore: instant.toISOString() } });
      return root;
    });
  } catch (cause) {
    if (!isAppError(cause, "ota.role_key_not_found")) throw cause;
    throw new AppError("ota.set_root_expire_failed", "The root ends earlier and its key is not here.", { cause });
  }
}

type NewRole = { role: RootRoleName; threshold: number; pairs: readonly KeyPair[] };

/** The root with this role's keys replaced; keys that no role uses any more go. */
function withRole(root: FullRoot, { role, threshold, pairs }: NewRole): FullRoot {
  const added = pairs.map(({ publicKey }) => [serverKeyId(publicKey), publicKey] as const);
  const keyids = added.map(([keyId]) => keyId);
  const roles = new Map([...root.roles, [role, { keyids, threshold }] as const]);
  const used = new Set([...roles.values()].flatMap((one) => one.keyids));
  const keys = new Map<string, TufKey>([...root.keys, ...added].filter(([keyId]) => used.has(keyId)));
  return { ...root, keys, roles };
}

async function keepOnlyListed(tx: Tx, ctx: Ctx, of: { repoId: string; root: FullRoot }): Promise<void> {
  const listed = [...of.root.keys.keys()];
  await store.dropPrivateKeys(tx, of.repoId, { notIn: listed });
  await store.retireKeys(tx, of.repoId, { listed, at: ctx.clock() });
  await store.renewStamp(tx, of.repoId);
}

/** What the root lists, without private parts; rows that are there stay as they are. */
function publicRows(repoId: string, root: FullRoot): store.KeyRow[] {
  return [...root.roles].flatMap(([role, { keyids }]) =>
    [...new Set(keyids)].flatMap((keyId) => {
      const key = root.keys.get(keyId);
      if (key === undefined) return [];
      return [{ repoId, role, keyId, keyType: key.keytype, publicValue: key.keyval.public, sealedPrivate: null }];
    }),
  );
}

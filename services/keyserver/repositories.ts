import { randomUUID } from "node:crypto";
import type { Ctx } from "#lib/ctx.ts";
import { isUniqueViolation, lockInTransaction, type Tx } from "#lib/db/client.ts";
import { AppError } from "#lib/errors/app-error.ts";
import {
  generateKeyPair,
  generateRsaKeyPair,
  type KeyPair,
  type KeyType,
  signerFromPrivate,
} from "#lib/uptane/keys.ts";
import { METADATA_LIMITS } from "#lib/uptane/limits.ts";
import { buildRoot } from "#lib/uptane/metadata.ts";
import { signDocument } from "#lib/uptane/signatures.ts";
import { rootExpiry } from "./root.ts";
import { sealedRow } from "./sealing.ts";
import type { OwnKind, RepoKind } from "./service.ts";
import { loadSigners } from "./signers.ts";
import * as store from "./store.ts";

export type NewRepo = { readonly repoId?: string; readonly keyType?: KeyType; readonly threshold?: number };

const ROLES = ["root", "targets", "snapshot", "timestamp"] as const;
type RoleKeyPairs = Record<(typeof ROLES)[number], readonly KeyPair[]>;

/**
 * The namespace's repository of that kind, made at the first call: four Ed25519 keys and root version 1 in one transaction.
 *
 * Call it outside a transaction. It also opens the repository's keys, so that a later `signRole` need not.
 *
 * @throws AppError `keys.unsealable`
 */
export async function ensureRepo(ctx: Ctx, kind: OwnKind): Promise<{ repoId: string }> {
  const found = await store.findRepo(ctx.db, ctx.namespaceId, kind);
  const repoId = found?.repoId ?? (await create(ctx, kind, {})).repoId;
  await loadSigners(ctx, repoId);
  return { repoId };
}

/**
 * Makes the namespace's repository of that kind, or a standalone one.
 *
 * @param wanted.threshold how many keys each role has, all of which must sign
 * @throws AppError `ota.conflicting_entity` when there is one of that kind, or one with that id
 * @see contracts/reposerver-keyserver.md section 1 and 7.1
 */
export async function addRepo(ctx: Ctx, kind: RepoKind, wanted: NewRepo = {}): Promise<{ repoId: string }> {
  if (kind !== "standalone" && (await store.findRepo(ctx.db, ctx.namespaceId, kind)) !== null) throw conflict();
  try {
    const { repoId, created } = await create(ctx, kind, wanted);
    if (!created) throw conflict();
    return { repoId };
  } catch (error) {
    if (isUniqueViolation(error)) throw conflict(error);
    throw error;
  }
}

async function create(ctx: Ctx, kind: RepoKind, wanted: NewRepo): Promise<{ repoId: string; created: boolean }> {
  const { repoId = randomUUID(), keyType = "ED25519", threshold = 1 } = wanted;
  const pairs = await makePairs(keyType, threshold);
  return ctx.db.$transaction(async (tx) => {
    if (kind !== "standalone") {
      await lockInTransaction(tx, `tuf-repo:${ctx.namespaceId}:${kind}`);
      const found = await store.findRepo(tx, ctx.namespaceId, kind);
      if (found !== null) return { ...found, created: false };
    }
    await insert(tx, ctx, { repoId, kind, pairs });
    return { repoId, created: true };
  });
}

/** Before the transaction, since RSA keys take their time. */
async function makePairs(keyType: KeyType, count: number): Promise<RoleKeyPairs> {
  const several = () =>
    Promise.all(
      Array.from({ length: count }, () => (keyType === "RSA" ? generateRsaKeyPair() : generateKeyPair(keyType))),
    );
  return { root: await several(), targets: await several(), snapshot: await several(), timestamp: await several() };
}

async function insert(tx: Tx, ctx: Ctx, of: { repoId: string; kind: RepoKind; pairs: RoleKeyPairs }): Promise<void> {
  const { repoId, kind, pairs } = of;
  const expiresAt = rootExpiry(ctx, null);
  const keysOf = (role: (typeof ROLES)[number]) => ({
    keys: pairs[role].map(({ publicKey }) => publicKey),
    threshold: pairs[role].length,
  });
  const roles = {
    root: keysOf("root"),
    targets: keysOf("targets"),
    snapshot: keysOf("snapshot"),
    timestamp: keysOf("timestamp"),
  };
  const signers = pairs.root.map(({ publicKey, privateKey }) => signerFromPrivate(publicKey.keytype, privateKey));
  const signed = buildRoot({ version: 1, expires: expiresAt, roles });
  const root = signDocument(signed, signers, METADATA_LIMITS.root.maxBytes);
  await store.insertRepo(tx, { repoId, namespaceId: ctx.namespaceId, kind });
  const rows = ROLES.flatMap((role) => pairs[role].map((pair) => sealedRow(ctx, { repoId, role, pair })));
  await store.insertKeys(tx, rows);
  await store.insertRoot(tx, repoId, { ...root, version: 1, expiresAt });
}

function conflict(cause?: unknown): AppError {
  return new AppError("ota.conflicting_entity", "Entity already exists: Repo", { cause });
}

import type { Ctx } from "#lib/ctx.ts";
import type { Tx } from "#lib/db/client.ts";
import { publishEvent } from "#lib/db/events.ts";
import { AppError, isAppError } from "#lib/errors/app-error.ts";
import { assertThreshold, parseEnvelope } from "#lib/uptane/envelope.ts";
import type { Json } from "#lib/uptane/json.ts";
import { METADATA_LIMITS } from "#lib/uptane/limits.ts";
import { recordByMachine } from "#services/audit/service.ts";
import { canSign, pushRootIn, rotateRootIn, type StoredRoot } from "#services/keyserver/service.ts";
import { REPOSITORY } from "./audited.ts";
import { lockRepo, publishDelegations, publishImages, type RoleDocument } from "./roles.ts";
import { targetsKeysOf } from "./signed-list.ts";
import * as store from "./store.ts";

/** Made here and nowhere else: nobody can push them. */
const OURS = ["snapshot", "timestamp"] as const;
const KEYS_CHANGED = { topic: "key", subjectId: "image" } as const;

/**
 * Puts a root in force that somebody else signed, and in the same transaction signs anew what it needs. The list of images stays as it is
 * while its signatures count under the new root; when its keys went offline it waits for a list that is signed elsewhere.
 *
 * @throws AppError `ota.invalid_root_role` (its detail lists every reason; also a root under which nobody could sign snapshot or timestamp)
 * @see contracts/reposerver-keyserver.md sections 1 and 7.4
 */
export async function pushImageRoot(ctx: Ctx, repoId: string, signedRoot: Json): Promise<void> {
  await ctx.db.$transaction(async (tx) => {
    await lockRepo(tx, repoId);
    const before = await signable(tx, ctx, repoId);
    const root = await pushRootIn(tx, ctx, { repoId, signedRoot });
    const after = await signable(tx, ctx, repoId);
    const lost = before.filter((role) => !after.includes(role));
    if (lost.length > 0) {
      throw new AppError("ota.invalid_root_role", "The root can't follow the one in force.", {
        detail: lost.map((role) => `The keys of ${role} are not here, and nobody else signs it.`),
      });
    }
    await publishUnder(tx, { ctx, repoId, root, canName: after.length === OURS.length });
    await publishEvent(tx, ctx.namespaceId, KEYS_CHANGED);
    const facts = { "root version": root.version };
    await recordByMachine(tx, ctx, { action: "keys.push_root", target: REPOSITORY, after: facts });
  });
}

/**
 * Replaces root and targets keys by new ones, and signs the list of images, snapshot and timestamp under them.
 *
 * @throws AppError `ota.role_key_not_found` (the root key is offline) | `uptane.too_large` | `keys.unsealable`
 * @see contracts/reposerver-keyserver.md sections 1 and 7.3
 */
export async function rotateImageRoot(ctx: Ctx, repoId: string): Promise<void> {
  await ctx.db.$transaction(async (tx) => {
    await lockRepo(tx, repoId);
    const root = await rotateRootIn(tx, ctx, repoId);
    await publishImages(tx, { ctx, repoId, root });
    await publishEvent(tx, ctx.namespaceId, KEYS_CHANGED);
    const after = { "root version": root.version };
    await recordByMachine(tx, ctx, { action: "keys.rotate", target: REPOSITORY, after });
  });
}

async function signable(tx: Tx, ctx: Ctx, repoId: string): Promise<string[]> {
  const signing = { keys: ctx.keys, db: tx };
  const roles: string[] = [];
  for (const role of OURS) if (await canSign(signing, repoId, role)) roles.push(role);
  return roles;
}

async function publishUnder(
  tx: Tx,
  { ctx, repoId, root, canName }: { ctx: Ctx; repoId: string; root: StoredRoot; canName: boolean },
): Promise<void> {
  const targets = await store.roleDocument(tx, repoId, "targets");
  if (targets === null || !canName) return;
  const isToSign = !countsUnder(root, targets) && (await canSign({ keys: ctx.keys, db: tx }, repoId, "targets"));
  if (isToSign) await publishImages(tx, { ctx, repoId, root });
  else await publishDelegations(tx, { ctx, repoId, root });
}

function countsUnder(root: StoredRoot, targets: RoleDocument): boolean {
  const { keys, role } = targetsKeysOf(root);
  try {
    assertThreshold(parseEnvelope(targets.bytes, METADATA_LIMITS.imageTargets), keys, role);
    return true;
  } catch (error) {
    if (isAppError(error, "uptane.threshold_unmet")) return false;
    throw error;
  }
}

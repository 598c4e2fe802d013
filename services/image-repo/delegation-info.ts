import { otaInstant } from "#lib/contracts/ota/common.ts";
import { AppError } from "#lib/errors/app-error.ts";
import { recordByMachine } from "#services/audit/service.ts";
import { REPOSITORY } from "./audited.ts";
import { readDelegations } from "./delegations.ts";
import type { ImageRepoCtx } from "./images.ts";
import { lockRepo } from "./roles.ts";
import * as store from "./store-delegations.ts";

export type DelegationInfo = {
  lastFetched: string | null;
  remoteUri: string | null;
  friendlyName: string | null;
  expires: string | null;
};

/** What is known of each trusted role beside its document. @see contracts/reposerver-keyserver.md section 4 */
export async function listInfo(ctx: ImageRepoCtx): Promise<Record<string, DelegationInfo>> {
  const names = await trustedNames(ctx);
  const rows = await store.listDelegations(ctx.db, ctx.namespaceId, names);
  return Object.fromEntries(names.map((name) => [name, toInfo(rows.find((row) => row.name === name))]));
}

/** @throws AppError `ota.delegations_not_found` */
export async function getInfo(ctx: ImageRepoCtx, name: string): Promise<DelegationInfo> {
  await assertTrusted(ctx, name);
  return toInfo((await store.findDelegation(ctx.db, ctx.namespaceId, name)) ?? undefined);
}

/** @throws AppError `ota.delegations_not_found` */
export async function setFriendlyName(
  ctx: ImageRepoCtx,
  repoId: string,
  { name, friendlyName }: { name: string; friendlyName: string },
): Promise<void> {
  await assertTrusted(ctx, name);
  await ctx.db.$transaction(async (tx) => {
    await lockRepo(tx, repoId);
    await store.putDelegation(tx, ctx.namespaceId, name, { friendlyName, updatedAt: ctx.clock() });
    const after = { role: name, friendlyName };
    await recordByMachine(tx, ctx, { action: "delegations.change", target: REPOSITORY, after });
  });
}

async function assertTrusted(ctx: ImageRepoCtx, name: string): Promise<void> {
  if ((await trustedNames(ctx)).includes(name)) return;
  throw new AppError("ota.delegations_not_found", "There is no such delegation.");
}

async function trustedNames(ctx: ImageRepoCtx): Promise<string[]> {
  return (await readDelegations(ctx)).roles.map(({ name }) => name);
}

function toInfo(row: store.DelegationRow | undefined): DelegationInfo {
  const instant = (date: Date | null | undefined) => (date == null ? null : otaInstant(date));
  return {
    lastFetched: instant(row?.lastFetchedAt),
    remoteUri: row?.remoteUri ?? null,
    friendlyName: row?.friendlyName ?? null,
    expires: instant(row?.expiresAt),
  };
}

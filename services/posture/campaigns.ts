import { randomUUID } from "node:crypto";
import { type Actor, requirePermission } from "#lib/authz/actor.ts";
import type { Page } from "#lib/contracts/console/common.ts";
import {
  type CampaignDevice,
  type CreateRenewalCampaign,
  type ListCampaignDevices,
  type ListRenewalCampaigns,
  MOST_CAMPAIGN_DEVICES,
  type RenewalCampaign,
} from "#lib/contracts/console/renewal-campaigns.ts";
import type { Ctx } from "#lib/ctx.ts";
import { publishEvent } from "#lib/db/events.ts";
import { AppError } from "#lib/errors/app-error.ts";
import { record } from "#services/audit/service.ts";
import * as store from "./store-campaigns.ts";
import { amongFindings } from "./store-checks.ts";
import { selected } from "./store-forecast.ts";

const LONGEST_LISTING_MS = 60_000;

/**
 * Lists the devices that match now, to be followed until they have other certificates: one statement, however many these are. Nothing happens
 * to them. Asking again with the same id gives the campaign that there is.
 *
 * @throws AppError `auth.forbidden` | `request.invalid` (no device matches, more than 100,000, or an id that is not free)
 */
export async function createRenewalCampaign(
  ctx: Ctx,
  actor: Actor,
  input: CreateRenewalCampaign,
): Promise<RenewalCampaign> {
  requirePermission(actor, "certificate.decide");
  const { devices } = input;
  const now = ctx.clock();
  const at = { namespaceId: ctx.namespaceId, now };
  const condition =
    "check" in devices ? amongFindings(devices.check, at) : selected(ctx.namespaceId, devices.expiring, now);
  const row = {
    id: input.id ?? randomUUID(),
    name: input.name,
    note: input.note ?? null,
    dueAt: new Date(input.dueAt),
    createdAt: now,
    createdBy: actor.name,
    closedAt: null,
    closedBy: null,
  };
  await ctx.db.$transaction(
    async (tx) => {
      if (!(await store.insertCampaign(tx, ctx.namespaceId, row))) return;
      const count = await store.addDevices(tx, ctx.namespaceId, {
        campaignId: row.id,
        condition,
        most: MOST_CAMPAIGN_DEVICES + 1,
      });
      if (count === 0) throw new AppError("request.invalid", "devices: none matches.");
      if (count > MOST_CAMPAIGN_DEVICES) {
        throw new AppError("request.invalid", `devices: more than ${MOST_CAMPAIGN_DEVICES} match.`);
      }
      await publishEvent(tx, ctx.namespaceId, { topic: "certificate", subjectId: "" });
      await record(tx, ctx, actor, {
        action: "renewal_campaign.create",
        target: { kind: "renewal_campaign", id: row.id, name: row.name },
        after: { devices: count, dueAt: row.dueAt.toISOString() },
      });
    },
    { timeout: LONGEST_LISTING_MS },
  );
  if ((await store.findCampaign(ctx.db, ctx.namespaceId, row.id)) === null) {
    throw new AppError("request.invalid", "id: choose another one.");
  }
  return readCampaign(ctx, row.id);
}

/** @throws AppError `auth.forbidden` | `request.invalid` (a cursor that is not ours) */
export async function listRenewalCampaigns(
  ctx: Ctx,
  actor: Actor,
  query: ListRenewalCampaigns,
): Promise<Page<RenewalCampaign>> {
  requirePermission(actor, "certificate.read");
  const { rows, nextCursor, total } = await store.listCampaigns(ctx.db, ctx.namespaceId, query);
  return { data: await toDtos(ctx, rows), nextCursor, total, totalIsExact: true };
}

/** @throws AppError `auth.forbidden` | `renewal_campaign.not_found` */
export async function getRenewalCampaign(ctx: Ctx, actor: Actor, id: string): Promise<RenewalCampaign> {
  requirePermission(actor, "certificate.read");
  return readCampaign(ctx, id);
}

/** Ends the following; its list stays. Repeating it is fine. @throws AppError `auth.forbidden` | `renewal_campaign.not_found` */
export async function closeRenewalCampaign(ctx: Ctx, actor: Actor, id: string): Promise<RenewalCampaign> {
  requirePermission(actor, "certificate.decide");
  await ctx.db.$transaction(async (tx) => {
    const now = ctx.clock();
    await store.settleRenewed(tx, ctx.namespaceId, now);
    const closed = await store.closeCampaign(tx, ctx.namespaceId, { id, at: now, by: actor.name });
    if (!closed) return;
    const row = await store.findCampaign(tx, ctx.namespaceId, id);
    const counts = (await store.countProgress(tx, ctx.namespaceId, { campaignIds: [id], now })).get(id);
    await publishEvent(tx, ctx.namespaceId, { topic: "certificate", subjectId: "" });
    await record(tx, ctx, actor, {
      action: "renewal_campaign.close",
      target: { kind: "renewal_campaign", id, name: row?.name ?? null },
      after: { renewed: counts?.renewed ?? 0, waiting: counts?.waiting ?? 0, gone: counts?.gone ?? 0 },
    });
  });
  return readCampaign(ctx, id);
}

/** @throws AppError `auth.forbidden` | `renewal_campaign.not_found` | `request.invalid` (a cursor that is not ours) */
export async function listCampaignDevices(
  ctx: Ctx,
  actor: Actor,
  { id, query }: { id: string; query: ListCampaignDevices },
): Promise<Page<CampaignDevice>> {
  requirePermission(actor, "certificate.read");
  await requireCampaign(ctx, id);
  const of = { campaignId: id, query, now: ctx.clock() };
  const { rows, nextCursor, total } = await store.listDevices(ctx.db, ctx.namespaceId, of);
  const data = rows.map((row) => ({
    ...row,
    name: row.name ?? row.deviceUuid,
    renewedAt: row.renewedAt?.toISOString() ?? null,
    notAfter: row.notAfter?.toISOString() ?? null,
    lastSeenAt: row.lastSeenAt?.toISOString() ?? null,
  }));
  return { data, nextCursor, total, totalIsExact: true };
}

async function readCampaign(ctx: Ctx, id: string): Promise<RenewalCampaign> {
  const [dto] = await toDtos(ctx, [await requireCampaign(ctx, id)]);
  if (dto === undefined) throw notFound();
  return dto;
}

async function requireCampaign(ctx: Ctx, id: string): Promise<store.CampaignRow> {
  const row = await store.findCampaign(ctx.db, ctx.namespaceId, id);
  if (row === null) throw notFound();
  return row;
}

function notFound(): AppError {
  return new AppError("renewal_campaign.not_found", "There is no renewal campaign with this id.");
}

const NONE: store.CampaignCounts = { total: 0, waiting: 0, renewed: 0, gone: 0, away: 0 };

async function toDtos(ctx: Ctx, rows: readonly store.CampaignRow[]): Promise<RenewalCampaign[]> {
  const campaignIds = rows.map(({ id }) => id);
  const counts = await store.countProgress(ctx.db, ctx.namespaceId, { campaignIds, now: ctx.clock() });
  return rows.map((row) => ({
    ...row,
    dueAt: row.dueAt.toISOString(),
    createdAt: row.createdAt.toISOString(),
    closedAt: row.closedAt?.toISOString() ?? null,
    counts: counts.get(row.id) ?? NONE,
  }));
}

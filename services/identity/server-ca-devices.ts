import { type Actor, requirePermission } from "#lib/authz/actor.ts";
import type { Page } from "#lib/contracts/console/common.ts";
import type { ListServerCaDevices, ServerCaDevice } from "#lib/contracts/console/server-ca.ts";
import type { Ctx } from "#lib/ctx.ts";
import { type CountServerCaDevices, findNewestServerCaId } from "#services/authorities/service.ts";
import { findDeviceNames } from "#services/fleet/service.ts";
import { countByServerCa, listByServerCa } from "./store-server-ca.ts";

/** How many devices that may come in were not given this server CA: they lose the doors when the old one is switched off. */
export const countDevicesWithout: CountServerCaDevices = (db, ctx, serverCaId) =>
  countByServerCa(db, ctx.namespaceId, { serverCaId, has: false, now: ctx.clock() });

/** How many devices that may come in were given this server CA: they may lose the doors when it is dropped. */
export const countDevicesWith: CountServerCaDevices = (db, ctx, serverCaId) =>
  countByServerCa(db, ctx.namespaceId, { serverCaId, has: true, now: ctx.clock() });

/**
 * Devices that may come in, by whether they were given the newest server CA.
 *
 * @throws AppError `auth.forbidden` | `request.invalid` (a cursor that is not ours)
 */
export async function listServerCaDevices(
  ctx: Ctx,
  actor: Actor,
  query: ListServerCaDevices,
): Promise<Page<ServerCaDevice>> {
  requirePermission(actor, "authority.read");
  const serverCaId = await findNewestServerCaId(ctx.db);
  if (serverCaId === null) return { data: [], nextCursor: null, total: 0, totalIsExact: true };
  const asked = { serverCaId, has: query.has === "true", now: ctx.clock() };
  const [{ rows, nextCursor }, total] = await Promise.all([
    listByServerCa(ctx.db, ctx.namespaceId, { ...query, ...asked }),
    countByServerCa(ctx.db, ctx.namespaceId, asked),
  ]);
  const uuids = rows.map(({ deviceUuid }) => deviceUuid);
  const names = await findDeviceNames(ctx.db, ctx.namespaceId, uuids);
  return {
    data: rows.map(({ deviceUuid, givenAt }) => ({
      deviceUuid,
      name: names.get(deviceUuid) ?? null,
      givenAt: givenAt?.toISOString() ?? null,
    })),
    nextCursor,
    total,
    totalIsExact: true,
  };
}

import * as endpoints from "#lib/contracts/console/devices.ts";
import { methods, route } from "#lib/http/route.ts";
import { getDevice, renameDevice } from "#services/fleet/service.ts";
import { deleteDevice } from "#services/identity/service.ts";

export const { GET, POST, PUT, PATCH, DELETE, OPTIONS } = methods(
  route(endpoints.getDevice, ({ ctx, actor, params }) => getDevice(ctx, actor, params.uuid)),
  route(endpoints.renameDevice, ({ ctx, actor, params, body }) => renameDevice(ctx, actor, { ...body, ...params })),
  route(endpoints.deleteDevice, async ({ ctx, actor, params }) => {
    await deleteDevice(ctx, actor, params.uuid);
    return {};
  }),
);

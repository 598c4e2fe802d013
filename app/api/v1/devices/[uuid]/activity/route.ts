import * as endpoints from "#lib/contracts/console/devices.ts";
import { methods, route } from "#lib/http/route.ts";
import { listActivity } from "#services/fleet/service.ts";

export const { GET, POST, PUT, PATCH, DELETE, OPTIONS } = methods(
  route(endpoints.listDeviceActivity, ({ ctx, actor, params, query }) =>
    listActivity(ctx, actor, { uuid: params.uuid, query }),
  ),
);

import * as endpoints from "#lib/contracts/console/devices.ts";
import { methods, route } from "#lib/http/route.ts";
import { getHardware } from "#services/fleet/service.ts";

export const { GET, POST, PUT, PATCH, DELETE, OPTIONS } = methods(
  route(endpoints.getDeviceHardware, ({ ctx, actor, params }) => getHardware(ctx, actor, params.uuid)),
);

import * as endpoints from "#lib/contracts/console/devices.ts";
import { methods, route } from "#lib/http/route.ts";
import { listDevices } from "#services/fleet/service.ts";

export const { GET, POST, PUT, PATCH, DELETE, OPTIONS } = methods(
  route(endpoints.listDevices, ({ ctx, actor, query }) => listDevices(ctx, actor, query)),
);

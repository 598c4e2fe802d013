import * as endpoints from "#lib/contracts/console/device-groups.ts";
import { methods, route } from "#lib/http/route.ts";
import { nameDeviceGroups } from "#services/fleet/service.ts";

export const { GET, POST, PUT, PATCH, DELETE, OPTIONS } = methods(
  route(endpoints.nameDeviceGroups, ({ ctx, actor, query }) => nameDeviceGroups(ctx, actor, query)),
);

import * as endpoints from "#lib/contracts/console/server-ca.ts";
import { methods, route } from "#lib/http/route.ts";
import { cancelServerCa } from "#services/authorities/service.ts";
import { countDevicesWith } from "#services/identity/service.ts";

export const { GET, POST, PUT, PATCH, DELETE, OPTIONS } = methods(
  route(endpoints.cancelServerCa, ({ ctx, actor, body }) =>
    cancelServerCa(ctx, actor, { ...body, count: countDevicesWith }),
  ),
);

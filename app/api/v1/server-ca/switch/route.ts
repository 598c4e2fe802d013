import * as endpoints from "#lib/contracts/console/server-ca.ts";
import { methods, route } from "#lib/http/route.ts";
import { switchServerCa } from "#services/authorities/service.ts";
import { countDevicesWithout } from "#services/identity/service.ts";

export const { GET, POST, PUT, PATCH, DELETE, OPTIONS } = methods(
  route(endpoints.switchServerCa, ({ ctx, actor, body }) =>
    switchServerCa(ctx, actor, { ...body, count: countDevicesWithout }),
  ),
);

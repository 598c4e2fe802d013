import * as endpoints from "#lib/contracts/console/server-ca.ts";
import { methods, route } from "#lib/http/route.ts";
import { getServerCa } from "#services/authorities/service.ts";

export const { GET, POST, PUT, PATCH, DELETE, OPTIONS } = methods(
  route(endpoints.getServerCa, ({ ctx, actor }) => getServerCa(ctx, actor)),
);

import * as endpoints from "#lib/contracts/console/server-ca.ts";
import { methods, route } from "#lib/http/route.ts";
import { listServerCaDevices } from "#services/identity/service.ts";

export const { GET, POST, PUT, PATCH, DELETE, OPTIONS } = methods(
  route(endpoints.listServerCaDevices, ({ ctx, actor, query }) => listServerCaDevices(ctx, actor, query)),
);

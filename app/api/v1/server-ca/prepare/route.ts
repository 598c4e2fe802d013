import * as endpoints from "#lib/contracts/console/server-ca.ts";
import { methods, route } from "#lib/http/route.ts";
import { prepareServerCa } from "#services/authorities/service.ts";

export const { GET, POST, PUT, PATCH, DELETE, OPTIONS } = methods(
  route(endpoints.prepareServerCa, ({ ctx, actor }) => prepareServerCa(ctx, actor)),
);

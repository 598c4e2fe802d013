import * as endpoints from "#lib/contracts/console/revocation.ts";
import { methods, route } from "#lib/http/route.ts";
import { listGateways } from "#services/revocation/service.ts";

export const { GET, POST, PUT, PATCH, DELETE, OPTIONS } = methods(
  route(endpoints.listGateways, ({ ctx, actor }) => listGateways(ctx, actor)),
);

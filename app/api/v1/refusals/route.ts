import * as endpoints from "#lib/contracts/console/refusals.ts";
import { methods, route } from "#lib/http/route.ts";
import { listRefusals } from "#services/identity/service.ts";

export const { GET, POST, PUT, PATCH, DELETE, OPTIONS } = methods(
  route(endpoints.listRefusals, ({ ctx, actor, query }) => listRefusals(ctx, actor, query)),
);

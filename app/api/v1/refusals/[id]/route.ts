import * as endpoints from "#lib/contracts/console/refusals.ts";
import { methods, route } from "#lib/http/route.ts";
import { getRefusal } from "#services/identity/service.ts";

export const { GET, POST, PUT, PATCH, DELETE, OPTIONS } = methods(
  route(endpoints.getRefusal, ({ ctx, actor, params }) => getRefusal(ctx, actor, params.id)),
);

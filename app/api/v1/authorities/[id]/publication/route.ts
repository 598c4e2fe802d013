import * as endpoints from "#lib/contracts/console/revocation.ts";
import { methods, route } from "#lib/http/route.ts";
import { getPublication } from "#services/revocation/service.ts";

export const { GET, POST, PUT, PATCH, DELETE, OPTIONS } = methods(
  route(endpoints.getPublication, ({ ctx, actor, params }) => getPublication(ctx, actor, params.id)),
);

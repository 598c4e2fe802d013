import * as endpoints from "#lib/contracts/console/revocation.ts";
import { methods, route } from "#lib/http/route.ts";
import { getAuthorityInForce } from "#services/revocation/service.ts";

export const { GET, POST, PUT, PATCH, DELETE, OPTIONS } = methods(
  route(endpoints.getAuthorityInForce, ({ ctx, actor, params }) => getAuthorityInForce(ctx, actor, params.id)),
);

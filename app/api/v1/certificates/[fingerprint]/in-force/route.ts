import * as endpoints from "#lib/contracts/console/revocation.ts";
import { methods, route } from "#lib/http/route.ts";
import { getInForce } from "#services/revocation/service.ts";

export const { GET, POST, PUT, PATCH, DELETE, OPTIONS } = methods(
  route(endpoints.getInForce, ({ ctx, actor, params }) => getInForce(ctx, actor, params.fingerprint)),
);

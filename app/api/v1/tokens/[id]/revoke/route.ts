import * as endpoints from "#lib/contracts/console/accounts.ts";
import { methods, route } from "#lib/http/route.ts";
import { revokeToken } from "#services/accounts/service.ts";

export const { GET, POST, PUT, PATCH, DELETE, OPTIONS } = methods(
  route(endpoints.revokeToken, ({ ctx, actor, params }) => revokeToken(ctx, actor, params.id)),
);

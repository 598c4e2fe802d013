import * as endpoints from "#lib/contracts/console/accounts.ts";
import { methods, route } from "#lib/http/route.ts";
import { createToken, listTokens } from "#services/accounts/service.ts";

export const { GET, POST, PUT, PATCH, DELETE, OPTIONS } = methods(
  route(endpoints.listTokens, ({ ctx, actor, query }) => listTokens(ctx, actor, query)),
  route(endpoints.createToken, ({ ctx, actor, body }) => createToken(ctx, actor, body)),
);

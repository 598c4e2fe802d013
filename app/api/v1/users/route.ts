import * as endpoints from "#lib/contracts/console/accounts.ts";
import { methods, route } from "#lib/http/route.ts";
import { createUser, listUsers } from "#services/accounts/service.ts";

export const { GET, POST, PUT, PATCH, DELETE, OPTIONS } = methods(
  route(endpoints.listUsers, ({ ctx, actor, query }) => listUsers(ctx, actor, query)),
  route(endpoints.createUser, ({ ctx, actor, body }) => createUser(ctx, actor, body)),
);

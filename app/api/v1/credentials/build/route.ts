import * as endpoints from "#lib/contracts/console/credentials.ts";
import { methods, route } from "#lib/http/route.ts";
import { buildCredentials } from "#services/identity/service.ts";

export const { GET, POST, PUT, PATCH, DELETE, OPTIONS } = methods(
  route(endpoints.buildCredentials, ({ ctx, actor, body }) => buildCredentials(ctx, actor, body)),
);

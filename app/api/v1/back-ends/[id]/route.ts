import * as endpoints from "#lib/contracts/console/back-ends.ts";
import { methods, route } from "#lib/http/route.ts";
import { getBackend } from "#services/settings/service.ts";

export const { GET, POST, PUT, PATCH, DELETE, OPTIONS } = methods(
  route(endpoints.getBackend, ({ ctx, actor, params }) => getBackend(ctx, actor, params.id)),
);

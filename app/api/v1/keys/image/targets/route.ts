import * as endpoints from "#lib/contracts/console/keys.ts";
import { methods, route } from "#lib/http/route.ts";
import { pushTargets } from "#services/signing-keys/service.ts";

export const { GET, POST, PUT, PATCH, DELETE, OPTIONS } = methods(
  route(endpoints.pushTargets, ({ ctx, actor, body }) => pushTargets(ctx, actor, body)),
);

import * as endpoints from "#lib/contracts/console/keys.ts";
import { methods, route } from "#lib/http/route.ts";
import { pushRoot } from "#services/signing-keys/service.ts";

export const { GET, POST, PUT, PATCH, DELETE, OPTIONS } = methods(
  route(endpoints.pushRoot, ({ ctx, actor, params, body }) => pushRoot(ctx, actor, { ...params, ...body })),
);

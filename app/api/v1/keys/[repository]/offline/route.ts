import * as endpoints from "#lib/contracts/console/keys.ts";
import { methods, route } from "#lib/http/route.ts";
import { takeOffline } from "#services/signing-keys/service.ts";

export const { GET, POST, PUT, PATCH, DELETE, OPTIONS } = methods(
  route(endpoints.takeOffline, ({ ctx, actor, params, body }) => takeOffline(ctx, actor, { ...params, ...body })),
);

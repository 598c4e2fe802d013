import * as endpoints from "#lib/contracts/console/keys.ts";
import { methods, route } from "#lib/http/route.ts";
import { rotateKeys } from "#services/signing-keys/service.ts";

export const { GET, POST, PUT, PATCH, DELETE, OPTIONS } = methods(
  route(endpoints.rotateKeys, ({ ctx, actor, params, body }) => rotateKeys(ctx, actor, { ...params, ...body })),
);

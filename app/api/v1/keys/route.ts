import * as endpoints from "#lib/contracts/console/keys.ts";
import { methods, route } from "#lib/http/route.ts";
import { getKeys } from "#services/signing-keys/service.ts";

export const { GET, POST, PUT, PATCH, DELETE, OPTIONS } = methods(
  route(endpoints.getKeys, ({ ctx, actor }) => getKeys(ctx, actor)),
);

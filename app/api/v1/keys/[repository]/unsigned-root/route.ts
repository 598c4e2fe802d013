import * as endpoints from "#lib/contracts/console/keys.ts";
import { methods, route } from "#lib/http/route.ts";
import { getUnsignedRoot } from "#services/signing-keys/service.ts";

export const { GET, POST, PUT, PATCH, DELETE, OPTIONS } = methods(
  route(endpoints.getUnsignedRoot, ({ ctx, actor, params }) => getUnsignedRoot(ctx, actor, params.repository)),
);

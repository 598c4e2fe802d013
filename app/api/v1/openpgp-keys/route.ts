import * as endpoints from "#lib/contracts/console/openpgp.ts";
import { methods, route } from "#lib/http/route.ts";
import { addOpenpgpKey, listOpenpgpKeys } from "#services/verification/service.ts";

export const { GET, POST, PUT, PATCH, DELETE, OPTIONS } = methods(
  route(endpoints.listOpenpgpKeys, async ({ ctx, actor }) => ({ data: await listOpenpgpKeys(ctx, actor) })),
  route(endpoints.addOpenpgpKey, ({ ctx, actor, body }) => addOpenpgpKey(ctx, actor, body.armored)),
);

import * as endpoints from "#lib/contracts/console/openpgp.ts";
import { methods, route } from "#lib/http/route.ts";
import { removeOpenpgpKey } from "#services/verification/service.ts";

export const { GET, POST, PUT, PATCH, DELETE, OPTIONS } = methods(
  route(endpoints.removeOpenpgpKey, async ({ ctx, actor, params }) => {
    await removeOpenpgpKey(ctx, actor, params.fingerprint);
    return {};
  }),
);

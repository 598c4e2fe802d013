import * as endpoints from "#lib/contracts/console/allowlist.ts";
import { methods, route } from "#lib/http/route.ts";
import { removeAllowlistEntry } from "#services/identity/service.ts";

export const { GET, POST, PUT, PATCH, DELETE, OPTIONS } = methods(
  route(endpoints.removeAllowlistEntry, async ({ ctx, actor, params }) => {
    await removeAllowlistEntry(ctx, actor, params.id);
    return {};
  }),
);

import * as endpoints from "#lib/contracts/console/allowlist.ts";
import { methods, route } from "#lib/http/route.ts";
import { addAllowlistEntry, listAllowlist } from "#services/identity/service.ts";

export const { GET, POST, PUT, PATCH, DELETE, OPTIONS } = methods(
  route(endpoints.listAllowlist, ({ ctx, actor, query }) => listAllowlist(ctx, actor, query)),
  route(endpoints.addAllowlistEntry, ({ ctx, actor, body }) => addAllowlistEntry(ctx, actor, body)),
);

import * as endpoints from "#lib/contracts/console/allowlist.ts";
import { readBounded } from "#lib/http/body.ts";
import { methods, route } from "#lib/http/route.ts";
import { importAllowlist } from "#services/identity/service.ts";

export const { GET, POST, PUT, PATCH, DELETE, OPTIONS } = methods(
  route(endpoints.importAllowlist, async ({ ctx, actor, req, query }) => {
    const csv = await readBounded(req, endpoints.ALLOWLIST_IMPORT_MAX_BYTES);
    return importAllowlist(ctx, actor, { dryRun: query.dryRun === "true", csv });
  }),
);

import * as endpoints from "#lib/contracts/console/audit.ts";
import { methods, route } from "#lib/http/route.ts";
import { listAudit } from "#services/audit/service.ts";

export const { GET, POST, PUT, PATCH, DELETE, OPTIONS } = methods(
  route(endpoints.listAudit, ({ ctx, actor, query }) => listAudit(ctx, actor, query)),
);

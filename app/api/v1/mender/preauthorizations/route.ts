import * as endpoints from "#lib/contracts/console/mender.ts";
import { methods, route } from "#lib/http/route.ts";
import { listMenderLog } from "#services/mender/service.ts";

export const { GET, POST, PUT, PATCH, DELETE, OPTIONS } = methods(
  route(endpoints.listMenderLog, ({ ctx, actor, query }) => listMenderLog(ctx, actor, query)),
);

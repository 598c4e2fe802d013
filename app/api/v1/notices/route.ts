import * as endpoints from "#lib/contracts/console/notices.ts";
import { methods, route } from "#lib/http/route.ts";
import { listNotices } from "#services/posture/service.ts";

export const { GET, POST, PUT, PATCH, DELETE, OPTIONS } = methods(
  route(endpoints.listNotices, ({ ctx, actor, query }) => listNotices(ctx, actor, query)),
);

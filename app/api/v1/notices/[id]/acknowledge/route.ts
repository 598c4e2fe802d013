import * as endpoints from "#lib/contracts/console/notices.ts";
import { methods, route } from "#lib/http/route.ts";
import { acknowledgeNotice } from "#services/posture/service.ts";

export const { GET, POST, PUT, PATCH, DELETE, OPTIONS } = methods(
  route(endpoints.acknowledgeNotice, ({ ctx, actor, params }) => acknowledgeNotice(ctx, actor, params.id)),
);

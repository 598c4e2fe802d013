import * as endpoints from "#lib/contracts/console/overview.ts";
import { methods, route } from "#lib/http/route.ts";
import { getOverview } from "#services/overview/service.ts";

export const { GET, POST, PUT, PATCH, DELETE, OPTIONS } = methods(
  route(endpoints.getOverview, ({ ctx, actor }) => getOverview(ctx, actor)),
);

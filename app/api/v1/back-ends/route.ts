import * as endpoints from "#lib/contracts/console/back-ends.ts";
import { methods, route } from "#lib/http/route.ts";
import { listBackends } from "#services/settings/service.ts";

export const { GET, POST, PUT, PATCH, DELETE, OPTIONS } = methods(
  route(endpoints.listBackends, ({ ctx, actor }) => listBackends(ctx, actor)),
);

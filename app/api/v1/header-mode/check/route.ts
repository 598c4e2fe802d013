import * as endpoints from "#lib/contracts/console/header-mode.ts";
import { methods, route } from "#lib/http/route.ts";
import { requestHeaderCheck } from "#services/header-mode/service.ts";

export const { GET, POST, PUT, PATCH, DELETE, OPTIONS } = methods(
  route(endpoints.checkHeaderMode, ({ ctx, actor }) => requestHeaderCheck(ctx, actor)),
);

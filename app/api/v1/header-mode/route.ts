import * as endpoints from "#lib/contracts/console/header-mode.ts";
import { methods, route } from "#lib/http/route.ts";
import { getHeaderMode } from "#services/header-mode/service.ts";

export const { GET, POST, PUT, PATCH, DELETE, OPTIONS } = methods(
  route(endpoints.getHeaderMode, ({ ctx, actor }) => getHeaderMode(ctx, actor)),
);

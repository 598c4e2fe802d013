import * as endpoints from "#lib/contracts/console/accounts.ts";
import { methods, route } from "#lib/http/route.ts";
import { getMe } from "#services/accounts/service.ts";

export const { GET, POST, PUT, PATCH, DELETE, OPTIONS } = methods(
  route(endpoints.getMe, ({ ctx, actor }) => getMe(ctx, actor)),
);

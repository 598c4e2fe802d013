import * as endpoints from "#lib/contracts/console/refusals.ts";
import { methods, route } from "#lib/http/route.ts";
import { admitRefused } from "#services/identity/service.ts";

export const { GET, POST, PUT, PATCH, DELETE, OPTIONS } = methods(
  route(endpoints.admitRefused, ({ ctx, actor, params, body }) => admitRefused(ctx, actor, { ...body, ...params })),
);

import * as endpoints from "#lib/contracts/console/updates.ts";
import { methods, route } from "#lib/http/route.ts";
import { getUpdate } from "#services/rollouts/service.ts";

export const { GET, POST, PUT, PATCH, DELETE, OPTIONS } = methods(
  route(endpoints.getUpdate, ({ ctx, actor, params }) => getUpdate(ctx, actor, params.id)),
);

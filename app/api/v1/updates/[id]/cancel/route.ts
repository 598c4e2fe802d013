import * as endpoints from "#lib/contracts/console/updates.ts";
import { methods, route } from "#lib/http/route.ts";
import { cancelUpdate } from "#services/rollouts/service.ts";

export const { GET, POST, PUT, PATCH, DELETE, OPTIONS } = methods(
  route(endpoints.cancelUpdate, ({ ctx, actor, params }) => cancelUpdate(ctx, actor, params.id)),
);

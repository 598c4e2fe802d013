import * as endpoints from "#lib/contracts/console/updates.ts";
import { methods, route } from "#lib/http/route.ts";
import { listUpdateDevices } from "#services/rollouts/service.ts";

export const { GET, POST, PUT, PATCH, DELETE, OPTIONS } = methods(
  route(endpoints.listUpdateDevices, ({ ctx, actor, params, query }) =>
    listUpdateDevices(ctx, actor, { id: params.id, query }),
  ),
);

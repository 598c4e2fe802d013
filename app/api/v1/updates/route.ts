import * as endpoints from "#lib/contracts/console/updates.ts";
import { methods, route, withOtherStatus } from "#lib/http/route.ts";
import { createUpdate, listUpdates, previewUpdate } from "#services/rollouts/service.ts";

export const { GET, POST, PUT, PATCH, DELETE, OPTIONS } = methods(
  route(endpoints.listUpdates, ({ ctx, actor, query }) => listUpdates(ctx, actor, query)),
  route(endpoints.createUpdate, async ({ ctx, actor, body }) =>
    body.dryRun ? withOtherStatus(await previewUpdate(ctx, actor, body)) : createUpdate(ctx, actor, body),
  ),
);

import * as endpoints from "#lib/contracts/console/overview.ts";
import { followEvents } from "#lib/data/follow-events.ts";
import { methods, route } from "#lib/http/route.ts";

export const { GET, POST, PUT, PATCH, DELETE, OPTIONS } = methods(
  route(endpoints.streamEvents, async ({ console, ctx, actor, req }) => followEvents(console, { ctx, actor, req })),
);

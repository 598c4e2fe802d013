import * as endpoints from "#lib/contracts/console/posture.ts";
import { methods, route } from "#lib/http/route.ts";
import { getPosture } from "#services/posture/service.ts";

export const { GET, POST, PUT, PATCH, DELETE, OPTIONS } = methods(
  route(endpoints.getPosture, ({ ctx, actor }) => getPosture(ctx, actor)),
);

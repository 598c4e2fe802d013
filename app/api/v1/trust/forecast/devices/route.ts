import * as endpoints from "#lib/contracts/console/posture.ts";
import { methods, route } from "#lib/http/route.ts";
import { listExpiringDevices } from "#services/posture/service.ts";

export const { GET, POST, PUT, PATCH, DELETE, OPTIONS } = methods(
  route(endpoints.listExpiringDevices, ({ ctx, actor, query }) => listExpiringDevices(ctx, actor, query)),
);

import * as endpoints from "#lib/contracts/console/devices.ts";
import { methods, route } from "#lib/http/route.ts";
import { stopSimulation } from "#services/simulations/service.ts";

export const { GET, POST, PUT, PATCH, DELETE, OPTIONS } = methods(
  route(endpoints.stopSimulation, ({ ctx, actor, params }) => stopSimulation(ctx, actor, params.uuid)),
);

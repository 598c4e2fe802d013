import * as endpoints from "#lib/contracts/console/devices.ts";
import { methods, route } from "#lib/http/route.ts";
import { listSimulations, startSimulation } from "#services/simulations/service.ts";

export const { GET, POST, PUT, PATCH, DELETE, OPTIONS } = methods(
  route(endpoints.listSimulations, ({ ctx, actor, query }) => listSimulations(ctx, actor, query)),
  route(endpoints.startSimulation, ({ ctx, actor, body }) => startSimulation(ctx, actor, body)),
);

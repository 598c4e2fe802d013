import * as endpoints from "#lib/contracts/console/machine-clients.ts";
import { methods, route } from "#lib/http/route.ts";
import { createMachineClient, listMachineClients } from "#services/accounts/service.ts";

export const { GET, POST, PUT, PATCH, DELETE, OPTIONS } = methods(
  route(endpoints.listMachineClients, ({ ctx, actor, query }) => listMachineClients(ctx, actor, query)),
  route(endpoints.createMachineClient, ({ ctx, actor, body }) => createMachineClient(ctx, actor, body)),
);

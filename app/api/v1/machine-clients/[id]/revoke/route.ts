import * as endpoints from "#lib/contracts/console/machine-clients.ts";
import { methods, route } from "#lib/http/route.ts";
import { revokeMachineClient } from "#services/accounts/service.ts";

export const { GET, POST, PUT, PATCH, DELETE, OPTIONS } = methods(
  route(endpoints.revokeMachineClient, ({ ctx, actor, params }) => revokeMachineClient(ctx, actor, params.id)),
);

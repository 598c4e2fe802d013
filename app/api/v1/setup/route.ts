import * as endpoints from "#lib/contracts/console/accounts.ts";
import { methods, publicRoute } from "#lib/http/route.ts";
import { completeSetup } from "#services/accounts/service.ts";

export const { GET, POST, PUT, PATCH, DELETE, OPTIONS } = methods(
  publicRoute(endpoints.completeSetup, ({ ctx, body, address }) => completeSetup(ctx, body, address)),
);

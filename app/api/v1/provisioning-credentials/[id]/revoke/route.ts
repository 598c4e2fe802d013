import * as endpoints from "#lib/contracts/console/credentials.ts";
import { methods, route } from "#lib/http/route.ts";
import { revokeProvisioningCredential } from "#services/identity/service.ts";

export const { GET, POST, PUT, PATCH, DELETE, OPTIONS } = methods(
  route(endpoints.revokeProvisioningCredential, ({ ctx, actor, params }) =>
    revokeProvisioningCredential(ctx, actor, params.id),
  ),
);

import * as endpoints from "#lib/contracts/console/credentials.ts";
import { methods, route } from "#lib/http/route.ts";
import { createProvisioningCredential, listProvisioningCredentials } from "#services/identity/service.ts";

export const { GET, POST, PUT, PATCH, DELETE, OPTIONS } = methods(
  route(endpoints.listProvisioningCredentials, ({ ctx, actor, query }) =>
    listProvisioningCredentials(ctx, actor, query),
  ),
  route(endpoints.createProvisioningCredential, ({ ctx, actor, body }) =>
    createProvisioningCredential(ctx, actor, body),
  ),
);

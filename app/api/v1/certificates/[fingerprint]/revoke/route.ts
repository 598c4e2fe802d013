import * as endpoints from "#lib/contracts/console/certificates.ts";
import { methods, route } from "#lib/http/route.ts";
import { revokeCertificate } from "#services/identity/service.ts";

export const { GET, POST, PUT, PATCH, DELETE, OPTIONS } = methods(
  route(endpoints.revokeCertificate, ({ ctx, actor, params, body }) =>
    revokeCertificate(ctx, actor, { ...body, ...params }),
  ),
);

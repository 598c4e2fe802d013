import * as endpoints from "#lib/contracts/console/certificates.ts";
import { methods, route } from "#lib/http/route.ts";
import { holdCertificate } from "#services/identity/service.ts";

export const { GET, POST, PUT, PATCH, DELETE, OPTIONS } = methods(
  route(endpoints.holdCertificate, ({ ctx, actor, params, body }) =>
    holdCertificate(ctx, actor, { ...body, ...params }),
  ),
);

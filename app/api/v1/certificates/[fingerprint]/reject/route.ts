import * as endpoints from "#lib/contracts/console/certificates.ts";
import { methods, route } from "#lib/http/route.ts";
import { rejectCertificate } from "#services/identity/service.ts";

export const { GET, POST, PUT, PATCH, DELETE, OPTIONS } = methods(
  route(endpoints.rejectCertificate, ({ ctx, actor, params, body }) =>
    rejectCertificate(ctx, actor, { ...body, ...params }),
  ),
);

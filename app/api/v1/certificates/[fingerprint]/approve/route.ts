import * as endpoints from "#lib/contracts/console/certificates.ts";
import { methods, route } from "#lib/http/route.ts";
import { approveCertificate } from "#services/identity/service.ts";

export const { GET, POST, PUT, PATCH, DELETE, OPTIONS } = methods(
  route(endpoints.approveCertificate, ({ ctx, actor, params, body }) =>
    approveCertificate(ctx, actor, { ...body, ...params }),
  ),
);

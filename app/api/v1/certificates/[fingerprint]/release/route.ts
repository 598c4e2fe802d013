import * as endpoints from "#lib/contracts/console/certificates.ts";
import { methods, route } from "#lib/http/route.ts";
import { releaseCertificate } from "#services/identity/service.ts";

export const { GET, POST, PUT, PATCH, DELETE, OPTIONS } = methods(
  route(endpoints.releaseCertificate, ({ ctx, actor, params, body }) =>
    releaseCertificate(ctx, actor, { ...body, ...params }),
  ),
);

import * as endpoints from "#lib/contracts/console/certificates.ts";
import { methods, route } from "#lib/http/route.ts";
import { allowCertificate } from "#services/identity/service.ts";

export const { GET, POST, PUT, PATCH, DELETE, OPTIONS } = methods(
  route(endpoints.allowCertificate, ({ ctx, actor, body }) => allowCertificate(ctx, actor, body)),
);

import * as endpoints from "#lib/contracts/console/certificate-batches.ts";
import { methods, route } from "#lib/http/route.ts";
import { rejectCertificates } from "#services/identity/service.ts";

export const { GET, POST, PUT, PATCH, DELETE, OPTIONS } = methods(
  route(endpoints.rejectCertificates, ({ ctx, actor, body }) => rejectCertificates(ctx, actor, body)),
);

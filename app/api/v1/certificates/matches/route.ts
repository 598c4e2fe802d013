import * as endpoints from "#lib/contracts/console/certificate-batches.ts";
import { methods, route } from "#lib/http/route.ts";
import { matchCertificates } from "#services/identity/service.ts";

export const { GET, POST, PUT, PATCH, DELETE, OPTIONS } = methods(
  route(endpoints.matchCertificates, ({ ctx, actor, body }) => matchCertificates(ctx, actor, body)),
);

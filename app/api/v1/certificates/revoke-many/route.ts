import * as endpoints from "#lib/contracts/console/certificate-batches.ts";
import { methods, route } from "#lib/http/route.ts";
import { revokeCertificates } from "#services/identity/service.ts";

export const { GET, POST, PUT, PATCH, DELETE, OPTIONS } = methods(
  route(endpoints.revokeCertificates, ({ ctx, actor, body }) => revokeCertificates(ctx, actor, body)),
);

import * as endpoints from "#lib/contracts/console/certificate-batches.ts";
import { methods, route } from "#lib/http/route.ts";
import { approveCertificates } from "#services/identity/service.ts";

export const { GET, POST, PUT, PATCH, DELETE, OPTIONS } = methods(
  route(endpoints.approveCertificates, ({ ctx, actor, body }) => approveCertificates(ctx, actor, body)),
);

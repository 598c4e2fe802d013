import * as endpoints from "#lib/contracts/console/authorities.ts";
import { methods, route } from "#lib/http/route.ts";
import { getAuthorityPem } from "#services/authorities/service.ts";

export const { GET, POST, PUT, PATCH, DELETE, OPTIONS } = methods(
  route(
    endpoints.getAuthorityCertificate,
    async ({ ctx, actor, params }) =>
      new Response(await getAuthorityPem(ctx, actor, params.id), {
        headers: {
          "content-type": "application/x-pem-file",
          "content-disposition": `attachment; filename="authority-${params.id.slice(0, 8)}.pem"`,
          "cache-control": "no-store",
        },
      }),
  ),
);

import * as endpoints from "#lib/contracts/console/authorities.ts";
import { methods, route } from "#lib/http/route.ts";
import { closeAuthority } from "#services/authorities/service.ts";
import { countCertificates } from "#services/identity/service.ts";

export const { GET, POST, PUT, PATCH, DELETE, OPTIONS } = methods(
  route(endpoints.closeAuthority, ({ ctx, actor, params }) =>
    closeAuthority(ctx, actor, { ...params, count: countCertificates }),
  ),
);

import * as endpoints from "#lib/contracts/console/authorities.ts";
import { methods, route } from "#lib/http/route.ts";
import { createAuthority, listAuthorities } from "#services/authorities/service.ts";
import { countCertificates } from "#services/identity/service.ts";

export const { GET, POST, PUT, PATCH, DELETE, OPTIONS } = methods(
  route(endpoints.listAuthorities, ({ ctx, actor, query }) =>
    listAuthorities(ctx, actor, { ...query, count: countCertificates }),
  ),
  route(endpoints.createAuthority, ({ ctx, actor, body }) =>
    createAuthority(ctx, actor, { ...body, count: countCertificates }),
  ),
);

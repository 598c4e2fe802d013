import * as endpoints from "#lib/contracts/console/authorities.ts";
import { methods, route } from "#lib/http/route.ts";
import { issueWithAuthority } from "#services/authorities/service.ts";
import { countCertificates } from "#services/identity/service.ts";

export const { GET, POST, PUT, PATCH, DELETE, OPTIONS } = methods(
  route(endpoints.issueWithAuthority, ({ ctx, actor, params }) =>
    issueWithAuthority(ctx, actor, { ...params, count: countCertificates }),
  ),
);

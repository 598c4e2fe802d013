import * as endpoints from "#lib/contracts/console/authorities.ts";
import { methods, route } from "#lib/http/route.ts";
import { changeAuthority, deleteAuthority, getAuthority } from "#services/authorities/service.ts";
import { countCertificates } from "#services/identity/service.ts";

export const { GET, POST, PUT, PATCH, DELETE, OPTIONS } = methods(
  route(endpoints.getAuthority, ({ ctx, actor, params }) =>
    getAuthority(ctx, actor, { ...params, count: countCertificates }),
  ),
  route(endpoints.changeAuthority, ({ ctx, actor, params, body }) =>
    changeAuthority(ctx, actor, { ...params, change: body, count: countCertificates }),
  ),
  route(endpoints.deleteAuthority, async ({ ctx, actor, params }) => {
    await deleteAuthority(ctx, actor, params.id);
    return {};
  }),
);

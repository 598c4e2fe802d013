import * as endpoints from "#lib/contracts/console/authorities.ts";
import { methods, route } from "#lib/http/route.ts";
import { previewAuthorityRules } from "#services/identity/service.ts";

export const { GET, POST, PUT, PATCH, DELETE, OPTIONS } = methods(
  route(endpoints.previewAuthorityRules, ({ ctx, actor, params, body }) =>
    previewAuthorityRules(ctx, actor, { ...params, rules: body }),
  ),
);

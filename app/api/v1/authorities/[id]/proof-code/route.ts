import * as endpoints from "#lib/contracts/console/authorities.ts";
import { methods, route } from "#lib/http/route.ts";
import { orderAuthorityProof } from "#services/authorities/service.ts";

export const { GET, POST, PUT, PATCH, DELETE, OPTIONS } = methods(
  route(endpoints.orderAuthorityProof, ({ ctx, actor, params }) => orderAuthorityProof(ctx, actor, params.id)),
);

import * as endpoints from "#lib/contracts/console/enrolment.ts";
import { methods, route } from "#lib/http/route.ts";
import { createEnrolmentToken, listEnrolmentTokens } from "#services/enrolment/service.ts";

export const { GET, POST, PUT, PATCH, DELETE, OPTIONS } = methods(
  route(endpoints.listEnrolmentTokens, ({ ctx, actor, query }) => listEnrolmentTokens(ctx, actor, query)),
  route(endpoints.createEnrolmentToken, ({ ctx, actor, body }) => createEnrolmentToken(ctx, actor, body)),
);

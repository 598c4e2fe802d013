import * as endpoints from "#lib/contracts/console/enrolment.ts";
import { methods, route } from "#lib/http/route.ts";
import { revokeEnrolmentToken } from "#services/enrolment/service.ts";

export const { GET, POST, PUT, PATCH, DELETE, OPTIONS } = methods(
  route(endpoints.revokeEnrolmentToken, ({ ctx, actor, params }) => revokeEnrolmentToken(ctx, actor, params.id)),
);

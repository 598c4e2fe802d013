import * as endpoints from "#lib/contracts/console/enrolment.ts";
import { methods, route } from "#lib/http/route.ts";
import { getEstAddress } from "#services/enrolment/service.ts";

export const { GET, POST, PUT, PATCH, DELETE, OPTIONS } = methods(
  route(endpoints.getEstAddress, ({ ctx, actor }) => getEstAddress(ctx, actor)),
);

import * as endpoints from "#lib/contracts/console/images.ts";
import { methods, route } from "#lib/http/route.ts";
import { getVerification, verifyImageNow } from "#services/verification/service.ts";

export const { GET, POST, PUT, PATCH, DELETE, OPTIONS } = methods(
  route(endpoints.getVerification, ({ ctx, actor, params }) => getVerification(ctx, actor, params.filename)),
  route(endpoints.verifyImage, ({ ctx, actor, params }) => verifyImageNow(ctx, actor, params.filename)),
);

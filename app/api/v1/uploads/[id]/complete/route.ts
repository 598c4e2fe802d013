import * as endpoints from "#lib/contracts/console/uploads.ts";
import { methods, route } from "#lib/http/route.ts";
import { completeUpload } from "#services/catalog/service.ts";

export const { GET, POST, PUT, PATCH, DELETE, OPTIONS } = methods(
  route(endpoints.completeUpload, ({ ctx, actor, params }) => completeUpload(ctx, actor, params.id)),
);

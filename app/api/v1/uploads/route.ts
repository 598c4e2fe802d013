import * as endpoints from "#lib/contracts/console/uploads.ts";
import { methods, route } from "#lib/http/route.ts";
import { openUpload } from "#services/catalog/service.ts";

export const { GET, POST, PUT, PATCH, DELETE, OPTIONS } = methods(
  route(endpoints.openUpload, ({ ctx, actor, body }) => openUpload(ctx, actor, body)),
);

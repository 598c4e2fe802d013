import * as endpoints from "#lib/contracts/console/uploads.ts";
import { methods, route } from "#lib/http/route.ts";
import { deleteUpload, getUpload } from "#services/catalog/service.ts";

export const { GET, POST, PUT, PATCH, DELETE, OPTIONS } = methods(
  route(endpoints.getUpload, ({ ctx, actor, params }) => getUpload(ctx, actor, params.id)),
  route(endpoints.deleteUpload, async ({ ctx, actor, params }) => {
    await deleteUpload(ctx, actor, params.id);
    return {};
  }),
);

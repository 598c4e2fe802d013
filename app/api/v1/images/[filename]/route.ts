import * as endpoints from "#lib/contracts/console/images.ts";
import { methods, route } from "#lib/http/route.ts";
import { deleteImage, getImage } from "#services/catalog/service.ts";

export const { GET, POST, PUT, PATCH, DELETE, OPTIONS } = methods(
  route(endpoints.getImage, ({ ctx, actor, params }) => getImage(ctx, actor, params.filename)),
  route(endpoints.deleteImage, async ({ ctx, actor, params }) => {
    await deleteImage(ctx, actor, params.filename);
    return {};
  }),
);

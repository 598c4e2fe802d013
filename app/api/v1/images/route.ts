import * as endpoints from "#lib/contracts/console/images.ts";
import { nodeBody } from "#lib/http/body.ts";
import { methods, route } from "#lib/http/route.ts";
import { listImages, uploadImage } from "#services/catalog/service.ts";

export const { GET, POST, PUT, PATCH, DELETE, OPTIONS } = methods(
  route(endpoints.listImages, ({ ctx, actor, query }) => listImages(ctx, actor, query)),
  route(endpoints.uploadImage, ({ ctx, actor, req }) =>
    uploadImage(ctx, actor, { contentType: req.headers.get("content-type") ?? "", body: nodeBody(req) }),
  ),
);

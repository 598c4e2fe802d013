import * as endpoints from "#lib/contracts/console/uploads.ts";
import { nodeBody } from "#lib/http/body.ts";
import { methods, route } from "#lib/http/route.ts";
import { putUploadPart } from "#services/catalog/service.ts";

export const { GET, POST, PUT, PATCH, DELETE, OPTIONS } = methods(
  route(endpoints.putUploadPart, async ({ ctx, actor, req, params, query }) => {
    await putUploadPart(ctx, actor, { ...params, sha256: query.sha256, body: nodeBody(req) });
    return {};
  }),
);

import * as endpoints from "#lib/contracts/console/overview.ts";
import { openApiDocument } from "#lib/http/openapi.ts";
import { methods, publicRoute } from "#lib/http/route.ts";

export const { GET, POST, PUT, PATCH, DELETE, OPTIONS } = methods(
  publicRoute(endpoints.getOpenApi, async ({ console }) => openApiDocument(console.config.publicUrl)),
);

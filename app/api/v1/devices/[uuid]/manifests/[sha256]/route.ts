import * as endpoints from "#lib/contracts/console/devices.ts";
import { bytesResponse } from "#lib/http/problem-response.ts";
import { methods, route } from "#lib/http/route.ts";
import { getManifest } from "#services/fleet/service.ts";

export const { GET, POST, PUT, PATCH, DELETE, OPTIONS } = methods(
  route(endpoints.getDeviceManifest, async ({ ctx, actor, params }) =>
    bytesResponse(await getManifest(ctx, actor, params), { contentType: "application/json", requestId: ctx.requestId }),
  ),
);

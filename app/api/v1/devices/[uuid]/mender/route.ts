import * as endpoints from "#lib/contracts/console/mender.ts";
import { methods, route } from "#lib/http/route.ts";
import { getMenderDevice } from "#services/mender/service.ts";

export const { GET, POST, PUT, PATCH, DELETE, OPTIONS } = methods(
  route(endpoints.getMenderDevice, ({ ctx, actor, params }) => getMenderDevice(ctx, actor, params.uuid)),
);

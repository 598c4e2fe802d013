import * as endpoints from "#lib/contracts/console/posture.ts";
import { methods, route } from "#lib/http/route.ts";
import { listPostureFindings } from "#services/posture/service.ts";

export const { GET, POST, PUT, PATCH, DELETE, OPTIONS } = methods(
  route(endpoints.listPostureFindings, ({ ctx, actor, params, query }) =>
    listPostureFindings(ctx, actor, { code: params.code, query }),
  ),
);

import * as endpoints from "#lib/contracts/console/renewal-campaigns.ts";
import { methods, route } from "#lib/http/route.ts";
import { listCampaignDevices } from "#services/posture/service.ts";

export const { GET, POST, PUT, PATCH, DELETE, OPTIONS } = methods(
  route(endpoints.listCampaignDevices, ({ ctx, actor, params, query }) =>
    listCampaignDevices(ctx, actor, { id: params.id, query }),
  ),
);

import * as endpoints from "#lib/contracts/console/renewal-campaigns.ts";
import { methods, route } from "#lib/http/route.ts";
import { createRenewalCampaign, listRenewalCampaigns } from "#services/posture/service.ts";

export const { GET, POST, PUT, PATCH, DELETE, OPTIONS } = methods(
  route(endpoints.listRenewalCampaigns, ({ ctx, actor, query }) => listRenewalCampaigns(ctx, actor, query)),
  route(endpoints.createRenewalCampaign, ({ ctx, actor, body }) => createRenewalCampaign(ctx, actor, body)),
);

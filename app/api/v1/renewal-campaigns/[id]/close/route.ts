import * as endpoints from "#lib/contracts/console/renewal-campaigns.ts";
import { methods, route } from "#lib/http/route.ts";
import { closeRenewalCampaign } from "#services/posture/service.ts";

export const { GET, POST, PUT, PATCH, DELETE, OPTIONS } = methods(
  route(endpoints.closeRenewalCampaign, ({ ctx, actor, params }) => closeRenewalCampaign(ctx, actor, params.id)),
);

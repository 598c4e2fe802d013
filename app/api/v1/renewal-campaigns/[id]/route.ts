import * as endpoints from "#lib/contracts/console/renewal-campaigns.ts";
import { methods, route } from "#lib/http/route.ts";
import { getRenewalCampaign } from "#services/posture/service.ts";

export const { GET, POST, PUT, PATCH, DELETE, OPTIONS } = methods(
  route(endpoints.getRenewalCampaign, ({ ctx, actor, params }) => getRenewalCampaign(ctx, actor, params.id)),
);

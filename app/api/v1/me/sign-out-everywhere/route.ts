import * as endpoints from "#lib/contracts/console/accounts.ts";
import { methods, route } from "#lib/http/route.ts";
import { signOutEverywhere } from "#services/accounts/service.ts";

export const { GET, POST, PUT, PATCH, DELETE, OPTIONS } = methods(
  route(endpoints.signOutEverywhere, async ({ ctx, actor }) => {
    await signOutEverywhere(ctx, actor);
    return {};
  }),
);

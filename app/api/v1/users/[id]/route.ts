import * as endpoints from "#lib/contracts/console/accounts.ts";
import { methods, route } from "#lib/http/route.ts";
import { changeUser, deleteUser } from "#services/accounts/service.ts";

export const { GET, POST, PUT, PATCH, DELETE, OPTIONS } = methods(
  route(endpoints.changeUser, ({ ctx, actor, params, body }) => changeUser(ctx, actor, params.id, body)),
  route(endpoints.deleteUser, async ({ ctx, actor, params }) => {
    await deleteUser(ctx, actor, params.id);
    return {};
  }),
);

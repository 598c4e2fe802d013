import * as endpoints from "#lib/contracts/console/openpgp.ts";
import { methods, route } from "#lib/http/route.ts";
import { getImage } from "#services/catalog/service.ts";
import { addImageSignature, verifyImageNow } from "#services/verification/service.ts";

export const { GET, POST, PUT, PATCH, DELETE, OPTIONS } = methods(
  route(endpoints.addImageSignature, async ({ ctx, actor, params: { filename }, body }) => {
    await addImageSignature(ctx, actor, { filename, ...body });
    await verifyImageNow(ctx, actor, filename);
    return getImage(ctx, actor, filename);
  }),
);

import { AppError } from "#lib/errors/app-error.ts";
import type { IdentityCtx } from "./ctx.ts";

/**
 * That devices can be put into this group now; it may go later.
 *
 * @throws AppError `request.invalid` (of the field groupId) | `backend.*`
 */
export async function assertGroup(ctx: IdentityCtx, groupId: string | undefined): Promise<void> {
  if (groupId === undefined || (await ctx.backends.registry.findStaticGroup(ctx, groupId)) !== null) return;
  throw new AppError("request.invalid", "There is no group of this id that devices can be put into.", {
    detail: [{ path: "groupId", message: "This group is gone, or takes no devices. Choose another." }],
  });
}

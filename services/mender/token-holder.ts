import type { Ctx } from "#lib/ctx.ts";
import { listHolders } from "./store-bindings.ts";

/** own: this device got it. another: another device of ours did. unknown: none of ours has come with its key yet. */
export type TokenHolder = "own" | "another" | "unknown";

/**
 * Whose a device token of the Mender server is, by the device and authentication set that it names. The server does not bind a token to a
 * certificate: a stolen one would count for every device that may come in.
 *
 * The token is not verified. What it names can't be changed without the server's refusing it.
 *
 * @see docs/contracts/mender.md section 6 (binding the token to the certificate)
 */
export async function judgeDeviceToken(
  ctx: Ctx,
  token: { menderDeviceId: string; authSetId: string; deviceUuid: string },
): Promise<TokenHolder> {
  const { menderDeviceId, authSetId, deviceUuid } = token;
  const holders = await listHolders(ctx.db, ctx.namespaceId, menderDeviceId);
  const ofSet = holders.filter((holder) => holder.authSetId === authSetId);
  const deciding = ofSet.length > 0 ? ofSet : holders;
  if (deciding.length === 0) return "unknown";
  return deciding.some((holder) => holder.deviceUuid === deviceUuid) ? "own" : "another";
}

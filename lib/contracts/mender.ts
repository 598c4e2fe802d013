import { z } from "zod";

/** What Mender's API says, as far as it is read here. Unknown fields are dropped. @see docs/contracts/mender.md section 4.1 */

export const MENDER_DEVICE_STATUSES = ["accepted", "preauthorized", "pending", "rejected", "noauth"] as const;
export const MenderDeviceStatus = z.enum(MENDER_DEVICE_STATUSES);
export type MenderDeviceStatus = z.infer<typeof MenderDeviceStatus>;

const Id = z.string().min(1).max(128);
const Time = z.string().max(64).optional().catch(undefined);

export const MenderAuthSet = z.object({
  id: Id,
  pubkey: z.string().max(16_384),
  status: z.enum(["accepted", "preauthorized", "pending", "rejected"]),
  ts: Time,
});
export type MenderAuthSet = z.infer<typeof MenderAuthSet>;

export const MenderDevice = z.object({
  id: Id,
  identity_data: z.record(z.string().max(1_024), z.unknown()).nullable().catch(null),
  status: MenderDeviceStatus,
  created_ts: Time,
  check_in_time: Time,
  /** null in the body of a 409: not loaded. */
  auth_sets: z.array(MenderAuthSet).max(100).nullish(),
});
export type MenderDevice = z.infer<typeof MenderDevice>;

export const MenderDevices = z.array(MenderDevice).max(500);
export const MenderConflict = z.object({ id: Id });
export const MenderError = z.object({ error: z.string().max(2_000) });

const ClaimedId = Id.regex(/^[\x21-\x7e]+$/);

const Claims = z.object({
  sub: ClaimedId.optional().catch(undefined),
  jti: ClaimedId.optional().catch(undefined),
  exp: z.number().positive().max(1e11).optional().catch(undefined),
});
export type MenderClaims = z.infer<typeof Claims>;

/** What a token says, unverified: when it ends, the device (`sub`) and authentication set (`jti`) it is for. Empty when it can't be read. */
export function readClaims(token: string): MenderClaims {
  const [, payload = ""] = token.split(".", 3);
  try {
    return Claims.parse(JSON.parse(Buffer.from(payload, "base64url").toString("utf8")));
  } catch {
    return {}; // a token is opaque by contract
  }
}

import { z } from "zod";
import { MENDER_DEVICE_STATUSES } from "#lib/contracts/mender.ts";
import { Fingerprint, Instant, ListQuery, pageOf, Uuid } from "./common.ts";
import { endpoint } from "./endpoint.ts";

/** Everything that can come of an authentication request at the Mender door, and of a revocation. Closed. */
export const MENDER_OUTCOMES = [
  "preauthorized",
  "already_known",
  "accepted",
  "rotated",
  "rotation_waits",
  "rotation_off",
  "rotation_unproven",
  "identity_of_another",
  "rejected_in_mender",
  "limit_reached",
  "key_mismatch",
  "bad_signature",
  "token_of_another",
  "forbidden",
  "sign_in_refused",
  "unavailable",
  "refused",
  "revocation_rejected",
  "revocation_found",
  "revocation_waits",
] as const;
export const MenderOutcome = z.enum(MENDER_OUTCOMES);
export type MenderOutcome = z.infer<typeof MenderOutcome>;

export const MenderLogEntry = z.object({
  id: Uuid,
  outcome: MenderOutcome,
  sentence: z.string(),
  /** As the device gave it, cut. */
  identity: z.string(),
  deviceUuid: Uuid,
  fingerprint: Fingerprint,
  /** null when the key was not the certificate's. */
  keySha256: Fingerprint.nullable(),
  menderDeviceId: z.string().nullable(),
  count: z.number().int(),
  firstAt: Instant,
  lastAt: Instant,
});
export type MenderLogEntry = z.infer<typeof MenderLogEntry>;

export const ListMenderLog = ListQuery.extend({
  outcome: z
    .preprocess(
      (value) => (typeof value === "string" ? value.split(",").filter((part) => part !== "") : value),
      z.array(MenderOutcome).max(MENDER_OUTCOMES.length),
    )
    .optional(),
  deviceUuid: Uuid.optional(),
});
export type ListMenderLog = z.infer<typeof ListMenderLog>;

export const MenderReport = z.object({
  /** null: no Mender server is configured. */
  url: z.string().nullable(),
  isReachable: z.boolean(),
  error: z.string().nullable(),
  latencyMs: z.number().nullable(),
  tokenMode: z.enum(["personal", "login"]).nullable(),
  tokenObtainedAt: Instant.nullable(),
  tokenExpiresAt: Instant.nullable(),
  keyMatch: z.enum(["strict", "different"]),
  rotation: z.enum(["on", "off"]),
  door: z.object({ port: z.number().nullable(), host: z.string().nullable() }),
  devices: z.number().int(),
  syncedAt: Instant.nullable(),
});
export type MenderReport = z.infer<typeof MenderReport>;

export const MenderDeviceReport = z.object({
  id: z.string(),
  status: z.enum(MENDER_DEVICE_STATUSES),
  checkedInAt: z.string().nullable(),
  identity: z.string(),
  authSets: z.array(
    z.object({
      id: z.string(),
      status: z.enum(["accepted", "preauthorized", "pending", "rejected"]),
      keySha256: Fingerprint.nullable(),
      /** The certificate that came with this key. */
      fingerprint: Fingerprint.nullable(),
      since: z.string().nullable(),
    }),
  ),
});
export type MenderDeviceReport = z.infer<typeof MenderDeviceReport>;

export const getMender = endpoint({
  method: "GET",
  path: "/api/v1/mender",
  permission: "setting.read",
  summary: "The Mender server that the gateway stands in front of: health, token, settings",
  reply: MenderReport,
});

export const listMenderLog = endpoint({
  method: "GET",
  path: "/api/v1/mender/preauthorizations",
  permission: "certificate.read",
  summary: "What was preauthorized at the Mender server, when and why not; newest first",
  query: ListMenderLog,
  reply: pageOf(MenderLogEntry),
});

export const getMenderDevice = endpoint({
  method: "GET",
  path: "/api/v1/devices/{uuid}/mender",
  permission: "device.read",
  summary: "A device as the Mender server knows it: state and authentication sets",
  params: z.strictObject({ uuid: Uuid }),
  reply: MenderDeviceReport,
});

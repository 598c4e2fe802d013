import { z } from "zod";
import { HardwareId, Instant, ListQuery, PersonText, pageOf, TargetFilename, Uuid } from "./common.ts";
import { endpoint } from "./endpoint.ts";

export const UPDATE_DEVICE_STATES = [
  "assigned",
  "downloading",
  "installing",
  "rebooting",
  "updated",
  "failed",
  "cancelled",
  "skipped",
] as const;
export const UpdateDeviceState = z.enum(UPDATE_DEVICE_STATES);
export type UpdateDeviceState = z.infer<typeof UpdateDeviceState>;

/** States after which nothing more is expected of a device in this update. */
export const FINAL_UPDATE_DEVICE_STATES: readonly UpdateDeviceState[] = ["updated", "failed", "cancelled", "skipped"];

export const UpdateState = z.enum(["launching", "running", "cancelling", "cancelled", "finished"]);
export type UpdateState = z.infer<typeof UpdateState>;

export const Evidence = z.object({
  manifestSha256: z.string(),
  ecuSerial: z.string(),
  keyId: z.string(),
  reportedAt: Instant,
  manifestUrl: z.string(),
});
export type Evidence = z.infer<typeof Evidence>;

export const UpdateDevice = z.object({
  uuid: Uuid,
  name: z.string().nullable(),
  state: UpdateDeviceState,
  /** The cause, or the next expected event. */
  reason: z.string().nullable(),
  reasonCode: z.string().nullable(),
  stateAt: Instant,
  evidence: Evidence.optional(),
});
export type UpdateDevice = z.infer<typeof UpdateDevice>;

const count = z.number().int();
/** `total` is the sum of the others. */
export const UpdateCounts = z.object({
  total: count,
  assigned: count,
  downloading: count,
  installing: count,
  rebooting: count,
  updated: count,
  failed: count,
  cancelled: count,
  skipped: count,
});
export type UpdateCounts = z.infer<typeof UpdateCounts>;

export const UpdateTargets = z
  .record(HardwareId, z.strictObject({ from: TargetFilename.optional(), to: TargetFilename }))
  .refine((targets) => Object.keys(targets).length >= 1, "must name at least one hardware id")
  .refine((targets) => Object.keys(targets).length <= 50, "may name at most 50 hardware ids");
export type UpdateTargets = z.infer<typeof UpdateTargets>;

export const Update = z.object({
  id: Uuid,
  name: z.string(),
  state: UpdateState,
  targets: z.record(z.string(), z.object({ from: z.string().optional(), to: z.string() })),
  correlationId: z.string(),
  createdAt: Instant,
  createdBy: z.string(),
  finishedAt: Instant.nullable(),
  /** Why launching or cancelling does not go on right now; it is tried again by itself. */
  trouble: z.string().nullable(),
  counts: UpdateCounts,
  /** The first 200; all under /devices. */
  devices: z.array(UpdateDevice),
});
export type Update = z.infer<typeof Update>;

export const CreateUpdate = z.strictObject({
  name: PersonText(200),
  targets: UpdateTargets,
  devices: z.array(Uuid).min(1, "must name at least one device").max(10_000),
  dryRun: z.boolean().default(false),
});
export type CreateUpdate = z.infer<typeof CreateUpdate>;

export const EligibilityReason = z.object({ code: z.string(), text: z.string() });
export type EligibilityReason = z.infer<typeof EligibilityReason>;

export const Preview = z.object({
  counts: z.object({ total: count, eligible: count, skipped: count }),
  devices: z.array(
    z.object({ uuid: Uuid, name: z.string().nullable(), eligible: z.boolean(), reasons: z.array(EligibilityReason) }),
  ),
});
export type Preview = z.infer<typeof Preview>;

export const createUpdate = endpoint({
  method: "POST",
  path: "/api/v1/updates",
  permission: "update.launch",
  summary: "Launch an update, or with dryRun say what it would do",
  body: CreateUpdate,
  maxBodyBytes: 1_048_576,
  status: 201,
  otherStatus: 200,
  reply: z.union([Update, Preview]),
});

export const ListUpdates = ListQuery.extend({ state: UpdateState.optional() });
export type ListUpdates = z.infer<typeof ListUpdates>;

export const UpdateSummary = Update.omit({ devices: true });
export type UpdateSummary = z.infer<typeof UpdateSummary>;

export const listUpdates = endpoint({
  method: "GET",
  path: "/api/v1/updates",
  permission: "update.read",
  summary: "Updates, newest first",
  query: ListUpdates,
  reply: pageOf(UpdateSummary),
});

const ById = z.strictObject({ id: Uuid });

export const getUpdate = endpoint({
  method: "GET",
  path: "/api/v1/updates/{id}",
  permission: "update.read",
  summary: "One update with its first 200 devices",
  params: ById,
  reply: Update,
});

export const ListUpdateDevices = ListQuery.extend({ state: UpdateDeviceState.optional() });
export type ListUpdateDevices = z.infer<typeof ListUpdateDevices>;

export const listUpdateDevices = endpoint({
  method: "GET",
  path: "/api/v1/updates/{id}/devices",
  permission: "update.read",
  summary: "Every device of an update",
  params: ById,
  query: ListUpdateDevices,
  reply: pageOf(UpdateDevice),
});

export const cancelUpdate = endpoint({
  method: "POST",
  path: "/api/v1/updates/{id}/cancel",
  permission: "update.cancel",
  summary: "Cancel what has not been installed yet",
  params: ById,
  body: z.strictObject({}),
  reply: Update,
});

import { z } from "zod";
import { endpoint } from "./endpoint.ts";

export const BackendName = z.enum(["device-registry", "director", "reposerver", "keyserver", "treehub"]);

/** Of the OTA Connect services: [A] classic, [B] consolidated; a Gatehouse serves both. */
export const BackendGeneration = z.enum(["A", "B", "both"]);
export type BackendGeneration = z.infer<typeof BackendGeneration>;

export const BackendCapability = z
  .object({
    name: z.enum([
      "hibernation",
      "events_by_update",
      "cancel_in_flight",
      "scheduled_updates",
      "device_state",
      "uploads_in_parts",
      "image_pages",
      "commit_check",
      "key_rotation",
      "key_states",
      "targets_key_export",
    ]),
    isAvailable: z.boolean(),
    reason: z.string().nullable().describe("What its absence means; null when it is there"),
  })
  .meta({ id: "BackendCapability" });
export type BackendCapability = z.infer<typeof BackendCapability>;

export const BackendSummary = z
  .object({
    id: BackendName,
    name: z.string(),
    url: z.string(),
    isExternal: z.boolean(),
  })
  .meta({ id: "BackendSummary" });
export type BackendSummary = z.infer<typeof BackendSummary>;

export const BackendReport = BackendSummary.extend({
  isReachable: z.boolean(),
  latencyMs: z.number().int().nullable().describe("Of the answer just now; null when there was none"),
  error: z.string().nullable(),
  version: z.string().nullable().describe("As it calls itself"),
  generation: BackendGeneration.nullable().describe("null where there is only one, or it is not known yet"),
  capabilities: z.array(BackendCapability).nullable().describe("null when nobody could find out yet"),
  breaker: z
    .enum(["closed", "open", "half_open"])
    .describe("open: it did not answer three times, so for seconds nobody asks; half_open: the next call finds out"),
}).meta({ id: "BackendReport" });
export type BackendReport = z.infer<typeof BackendReport>;

export const InstallAbout = z
  .object({
    version: z.string(),
    installId: z.string(),
    node: z.string(),
    database: z.string().describe("The server's version"),
  })
  .meta({ id: "InstallAbout" });
export type InstallAbout = z.infer<typeof InstallAbout>;

export const BackendList = z.object({ data: z.array(BackendSummary), about: InstallAbout }).meta({ id: "BackendList" });
export type BackendList = z.infer<typeof BackendList>;

export const listBackends = endpoint({
  method: "GET",
  path: "/api/v1/back-ends",
  permission: "setting.read",
  summary: "The back ends this install works with, and what it is itself",
  reply: BackendList,
});

export const getBackend = endpoint({
  method: "GET",
  path: "/api/v1/back-ends/{id}",
  permission: "setting.read",
  summary: "How one back end is now, and what it can do; it is asked for this",
  params: z.strictObject({ id: BackendName }),
  reply: BackendReport,
});

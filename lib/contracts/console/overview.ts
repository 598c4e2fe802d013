import { z } from "zod";
import { AuditEntry } from "./audit.ts";
import { Instant } from "./common.ts";
import { Facet } from "./devices.ts";
import { endpoint } from "./endpoint.ts";
import { UpdateSummary } from "./updates.ts";

/** One line of "needs a person": a real count, and the address of exactly those rows. */
export const Attention = z.object({
  kind: z.enum([
    "pending",
    "refused",
    "failing",
    "expiring",
    "unverified",
    "metadata",
    "backend_down",
    "notice",
    "header_mode",
    "revocation",
    "unusual_refusals",
  ]),
  tone: z.enum(["bad", "warn"]),
  count: z.number().int(),
  title: z.string(),
  detail: z.string().nullable(),
  href: z.string(),
  since: Instant.nullable(),
});
export type Attention = z.infer<typeof Attention>;

/** One dead back end blanks one panel: each panel is its own field, null with its error beside it when it could not be read. */
export const Overview = z.object({
  attention: z.array(Attention),
  devices: z.object({ total: z.number().int(), seenLastHour: z.number().int(), byStatus: z.array(Facet) }),
  updates: z.array(UpdateSummary),
  latest: z.array(AuditEntry),
  /** What the checklist of the first run has seen done. */
  firstSteps: z.object({ connected: z.boolean(), approved: z.boolean(), image: z.boolean(), updated: z.boolean() }),
  backends: z.array(
    z.object({ name: z.string(), ok: z.boolean(), latencyMs: z.number().nullable(), error: z.string().nullable() }),
  ),
  counts: z.object({ pending: z.number().int(), refusals: z.number().int(), runningUpdates: z.number().int() }),
});
export type Overview = z.infer<typeof Overview>;

export const getOverview = endpoint({
  method: "GET",
  path: "/api/v1/overview",
  permission: "overview.read",
  summary: "What needs a person now, and how the fleet is",
  reply: Overview,
});

export const streamEvents = endpoint({
  method: "GET",
  path: "/api/v1/events",
  permission: "event.read",
  summary: "Changes as server-sent events; resumes by Last-Event-ID",
  reply: z.unknown(),
});

export const getOpenApi = endpoint({
  method: "GET",
  path: "/api/v1/openapi.json",
  permission: "public",
  summary: "This document",
  reply: z.unknown(),
});

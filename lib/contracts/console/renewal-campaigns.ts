import { z } from "zod";
import { Fingerprint, Instant, ListQuery, PersonText, pageOf, Uuid } from "./common.ts";
import { endpoint } from "./endpoint.ts";
import { ExpirySelection, PostureCode, SeenClass } from "./posture.ts";

export const MOST_CAMPAIGN_DEVICES = 100_000;

/** `gone`: it has no certificate to come in with any more, since that was revoked or the device deleted. */
export const RENEWAL_PROGRESS = ["waiting", "renewed", "gone"] as const;
export const RenewalProgress = z.enum(RENEWAL_PROGRESS);
export type RenewalProgress = z.infer<typeof RenewalProgress>;

export const RenewalCampaign = z.object({
  id: Uuid,
  name: z.string(),
  note: z.string().nullable(),
  dueAt: Instant,
  createdAt: Instant,
  createdBy: z.string(),
  closedAt: Instant.nullable(),
  closedBy: z.string().nullable(),
  counts: z.object({
    total: z.number().int(),
    waiting: z.number().int(),
    renewed: z.number().int(),
    gone: z.number().int(),
    /** Of those that wait, who was not online for 30 days, or ever. */
    away: z.number().int(),
  }),
});
export type RenewalCampaign = z.infer<typeof RenewalCampaign>;

const ById = z.strictObject({ id: Uuid });

/** The devices are those that match now; the list does not grow later. */
export const CreateRenewalCampaign = z.strictObject({
  /** Chosen by who asks: asking again with it, after a lost reply, begins no second one. */
  id: Uuid.optional(),
  name: PersonText(100),
  note: PersonText(500).optional(),
  dueAt: Instant,
  devices: z.union([z.strictObject({ expiring: ExpirySelection }), z.strictObject({ check: PostureCode })]),
});
export type CreateRenewalCampaign = z.infer<typeof CreateRenewalCampaign>;

export const createRenewalCampaign = endpoint({
  method: "POST",
  path: "/api/v1/renewal-campaigns",
  permission: "certificate.decide",
  summary: "List devices whose certificates are to be renewed by a day, and follow who did",
  body: CreateRenewalCampaign,
  status: 201,
  reply: RenewalCampaign,
});

export const ListRenewalCampaigns = ListQuery.omit({ q: true });
export type ListRenewalCampaigns = z.infer<typeof ListRenewalCampaigns>;

export const listRenewalCampaigns = endpoint({
  method: "GET",
  path: "/api/v1/renewal-campaigns",
  permission: "certificate.read",
  summary: "Renewal campaigns with their progress, newest first",
  query: ListRenewalCampaigns,
  reply: pageOf(RenewalCampaign),
});

export const getRenewalCampaign = endpoint({
  method: "GET",
  path: "/api/v1/renewal-campaigns/{id}",
  permission: "certificate.read",
  summary: "One renewal campaign with its progress",
  params: ById,
  reply: RenewalCampaign,
});

export const closeRenewalCampaign = endpoint({
  method: "POST",
  path: "/api/v1/renewal-campaigns/{id}/close",
  permission: "certificate.decide",
  summary: "Stop following a renewal campaign; nothing happens to its devices",
  params: ById,
  body: z.strictObject({}),
  reply: RenewalCampaign,
});

export const CampaignDevice = z.object({
  deviceUuid: Uuid,
  name: z.string(),
  /** What it had when it was listed. */
  fingerprint: Fingerprint,
  progress: RenewalProgress,
  renewedAt: Instant.nullable(),
  /** End of the certificate that it comes in with now. */
  notAfter: Instant.nullable(),
  lastSeenAt: Instant.nullable(),
  seen: SeenClass,
});
export type CampaignDevice = z.infer<typeof CampaignDevice>;

export const ListCampaignDevices = ListQuery.omit({ q: true }).extend({
  progress: RenewalProgress.optional(),
  /** Only those that were not online for 30 days, or ever. */
  away: z.enum(["true"]).optional(),
});
export type ListCampaignDevices = z.infer<typeof ListCampaignDevices>;

export const listCampaignDevices = endpoint({
  method: "GET",
  path: "/api/v1/renewal-campaigns/{id}/devices",
  permission: "certificate.read",
  summary: "The devices of a renewal campaign",
  params: ById,
  query: ListCampaignDevices,
  reply: pageOf(CampaignDevice),
});

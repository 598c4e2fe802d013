import { z } from "zod";
import { Fingerprint, Instant, ListQuery, pageOf, Uuid } from "./common.ts";
import { endpoint } from "./endpoint.ts";

const ServerCaCertificate = z.object({
  id: Uuid,
  subject: z.string(),
  fingerprint: Fingerprint,
  keyType: z.string(),
  notBefore: Instant,
  notAfter: Instant,
  createdAt: Instant,
});

export const ServerCa = z.object({
  /** What devices know the doors by; the doors' certificate is signed by it. */
  current: ServerCaCertificate,
  /** What takes its place one day: new credentials carry it, and the doors are believed by either. */
  next: ServerCaCertificate.extend({ handedOutFrom: Instant }).nullable(),
  /** The device door shows a certificate of your own, so that devices know it by your authority. */
  ownCertificate: z.boolean(),
});
export type ServerCa = z.infer<typeof ServerCa>;

export const getServerCa = endpoint({
  method: "GET",
  path: "/api/v1/server-ca",
  permission: "authority.read",
  summary: "The authority that devices know the doors by, and the next one when there is one",
  reply: ServerCa,
});

export const prepareServerCa = endpoint({
  method: "POST",
  path: "/api/v1/server-ca/prepare",
  permission: "authority.manage",
  summary: "Make the next server CA: devices that have only it and devices that have only the old one both connect",
  body: z.strictObject({}),
  status: 201,
  reply: ServerCa,
});

export const SwitchServerCa = z.strictObject({
  /** How many devices are shown as not having the next one: they lose the doors. */
  devicesWithout: z.number().int().min(0),
});
export type SwitchServerCa = z.infer<typeof SwitchServerCa>;

export const switchServerCa = endpoint({
  method: "POST",
  path: "/api/v1/server-ca/switch",
  permission: "authority.manage",
  summary: "Switch the old server CA off: devices that do not have the next one can no longer connect",
  body: SwitchServerCa,
  reply: ServerCa,
});

export const CancelServerCa = z.strictObject({
  /** How many devices are shown as having the next one: what they were given last no longer opens anything. */
  devicesWith: z.number().int().min(0),
});
export type CancelServerCa = z.infer<typeof CancelServerCa>;

export const cancelServerCa = endpoint({
  method: "POST",
  path: "/api/v1/server-ca/cancel",
  permission: "authority.manage",
  summary: "Drop the next server CA before it is in force: devices that have only that one can no longer connect",
  body: CancelServerCa,
  reply: ServerCa,
});

const ServerCaDevice = z.object({
  deviceUuid: Uuid,
  name: z.string().nullable(),
  /** When it was given the next one, or, while there is none, the one in force; null: not on record. */
  givenAt: Instant.nullable(),
});
export type ServerCaDevice = z.infer<typeof ServerCaDevice>;

export const ListServerCaDevices = ListQuery.omit({ q: true }).extend({ has: z.enum(["true", "false"]) });
export type ListServerCaDevices = z.infer<typeof ListServerCaDevices>;

export const listServerCaDevices = endpoint({
  method: "GET",
  path: "/api/v1/server-ca/devices",
  permission: "authority.read",
  summary: "Devices that were given the newest server CA, or those that were not, by UUID",
  query: ListServerCaDevices,
  reply: pageOf(ServerCaDevice),
});

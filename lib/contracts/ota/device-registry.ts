import { z } from "zod";
import { OtaUuid } from "#lib/contracts/ota/common.ts";

/*
 * What the device registry takes and gives (contracts/device-registry.md). Unknown fields are dropped, as its contract says. Names
 * and ids that people and other tools chose are any text that PostgreSQL can keep.
 */

export const EVENTS_PER_POST = 500;
export const EVENT_MAX_BYTES = 65_536;
export const EVENTS_BODY_MAX_BYTES = 4_194_304;
export const SYSTEM_INFO_MAX_BYTES = 2_097_152;
export const MAX_PACKAGES = 20_000;
export const PACKAGES_BODY_MAX_BYTES = 4_194_304;

export const Text = (max: number) =>
  z
    .string()
    .min(1, "must not be empty")
    .max(max)
    .refine((text) => !text.includes("\0") && text.isWellFormed(), "must not contain NUL or half of a surrogate pair");

/** README.md section 5: at most 200 characters; the id has no limit there, ours keeps it within an index entry. */
const DeviceName = Text(200);
const DeviceOemId = Text(200);
const Notes = z
  .string()
  .max(10_000)
  .refine((text) => !text.includes("\0") && text.isWellFormed(), "must not contain NUL or half of a surrogate pair");

export const DEVICE_STATUSES = [
  "NotSeen",
  "Error",
  "UpToDate",
  "UpdatePending",
  "Outdated",
  "UpdateScheduled",
] as const;
export type RegistryStatus = (typeof DEVICE_STATUSES)[number];

/** `deviceType` is required by the original's decoder; a missing one is taken as "Other" here. */
export const CreateDevice = z.object({
  uuid: OtaUuid.nullish(),
  deviceName: DeviceName,
  deviceId: DeviceOemId,
  deviceType: z.enum(["Other", "Vehicle"]).default("Other"),
  credentials: Text(65_536).nullish(),
  credentialsType: z.enum(["PEM", "OAuthClientCredentials"]).nullish(),
  hibernated: z.boolean().nullish(),
});
export type CreateDevice = z.infer<typeof CreateDevice>;

export const ReplaceDevice = z.object({ deviceName: DeviceName, notes: Notes.nullish() });
export const ChangeDevice = z.object({ deviceName: DeviceName.nullish(), notes: Notes.nullish() });
export const SetHibernation = z.object({ status: z.boolean() });

export const NetworkInfo = z.object({
  local_ipv4: z.string().max(200),
  mac: z.string().max(200),
  hostname: z.string().max(500),
});
export type NetworkInfo = z.infer<typeof NetworkInfo>;

export const DeviceList = z.array(OtaUuid).max(1_000);

/** What a monitor on the device saw: any object with its time in seconds. */
export const Observation = z.looseObject({ date: z.number() });
export const Observations = z.array(z.unknown()).max(10_000);

/** Packages as devices report them: any text, made storable (and at most 200 characters) on the way in. */
export const InstalledPackages = z.array(z.object({ name: z.string(), version: z.string() })).max(MAX_PACKAGES);

/** `deviceTime`: any ISO date-time with an offset. */
export const DeviceEvent = z.object({
  id: z.string().min(1).max(200),
  deviceTime: z.iso.datetime({ offset: true }).transform((text) => new Date(text)),
  eventType: z.object({ id: z.string().min(1).max(200), version: z.number().int().min(0).max(1_000_000) }),
  event: z.record(z.string(), z.unknown()),
  ecu: z.string().max(200).nullish(),
});
export type DeviceEvent = z.infer<typeof DeviceEvent>;

export type RegistryDevice = {
  namespace: string;
  uuid: string;
  deviceName: string;
  deviceId: string;
  deviceType: string;
  lastSeen: string | null;
  createdAt: string;
  activatedAt: string | null;
  deviceStatus: string;
  notes: string | null;
  hibernated: boolean;
  /** There is no MQTT here. */
  mqttLastSeen: null;
  mqttStatus: "NotSeen";
  attributes: Record<string, string>;
};

export type JournalEvent = {
  deviceUuid: string;
  eventId: string;
  eventType: { id: string; version: number };
  deviceTime: string;
  receivedAt: string;
  ecu: string | null;
  payload: unknown;
};

/** Section 9: what the director tells about the end of an update, kept as the registry's report. */
export type InstallationReport = {
  namespace: string;
  eventTime: string;
  correlationId: string;
  deviceUuid: string;
  result: { success: boolean; code: string; description: string };
  ecuReports: Record<
    string,
    { result: { success: boolean; code: string; description: string }; target: string[]; rawReport: string | null }
  >;
  rawReport: string | null;
};

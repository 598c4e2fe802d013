import { z } from "zod";
import { MenderDeviceStatus } from "#lib/contracts/mender.ts";
import { CertificateState } from "./certificates.ts";
import { Empty, Fingerprint, HardwareId, Instant, ListQuery, PersonText, pageOf, Uuid } from "./common.ts";
import { endpoint } from "./endpoint.ts";

export const DEVICE_STATUSES = [
  "never_seen",
  "up_to_date",
  "assigned",
  "downloading",
  "installing",
  "rebooting",
  "failed",
  "unknown",
] as const;
export const DeviceStatus = z.enum(DEVICE_STATUSES);
export type DeviceStatus = z.infer<typeof DeviceStatus>;

export const EcuImage = z.object({ filename: z.string(), sha256: z.string() });

export const Ecu = z.object({
  serial: z.string(),
  hardwareId: z.string(),
  primary: z.boolean(),
  installed: EcuImage.nullable(),
  assigned: EcuImage.nullable(),
});
export type Ecu = z.infer<typeof Ecu>;

export const WhyCheck = z.object({
  check: z.enum(["certificate", "contact", "registration", "assignment", "metadata", "download", "install"]),
  result: z.enum(["ok", "waiting", "bad", "unknown"]),
  text: z.string(),
  at: Instant.nullable(),
});

/** Why a device is in the state it is in: one sentence, and the checks behind it in the order of the path. */
export const Why = z.object({ summary: z.string(), reasons: z.array(WhyCheck) });
export type Why = z.infer<typeof Why>;

export const Device = z.object({
  uuid: Uuid,
  name: z.string(),
  deviceId: z.string(),
  status: DeviceStatus,
  /** One clause beside the status: the cause or the next expected event. */
  statusReason: z.string().nullable(),
  statusAt: Instant,
  lastSeenAt: Instant.nullable(),
  lastManifestAt: Instant.nullable(),
  createdAt: Instant,
  hardwareIds: z.array(z.string()),
  ecus: z.array(Ecu),
  certificate: z.object({ fingerprint: Fingerprint, state: CertificateState, notAfter: Instant.nullable() }).nullable(),
  address: z.string().nullable(),
  simulated: z.boolean(),
  /** At the Mender server that the gateway stands in front of; `only` when it is known from there alone. */
  mender: z.object({ id: z.string(), status: MenderDeviceStatus, only: z.boolean() }).nullable(),
  correlationId: z.string().nullable(),
  why: Why,
});
export type Device = z.infer<typeof Device>;

const ByUuid = z.strictObject({ uuid: Uuid });

export const DEVICE_SORTS = [
  "name",
  "-name",
  "deviceId",
  "-deviceId",
  "status",
  "-status",
  "lastSeenAt",
  "-lastSeenAt",
  "createdAt",
  "-createdAt",
  "image",
  "-image",
  "hardware",
  "-hardware",
  "certificate",
  "-certificate",
] as const;

export const csv = <T extends z.ZodType>(item: T) =>
  z.preprocess(
    (value) => (typeof value === "string" ? value.split(",").filter((part) => part !== "") : value),
    z.array(item).max(50),
  );

export const ListDevices = ListQuery.extend({
  sort: z.enum(DEVICE_SORTS).default("name"),
  status: csv(DeviceStatus).optional(),
  certificate: csv(CertificateState).optional(),
  hardware: csv(z.string().max(200)).optional(),
  image: z.string().max(253).optional(),
  simulated: z.enum(["true", "false"]).optional(),
  /** State at the Mender server; devices that it does not have are in none. */
  mender: csv(MenderDeviceStatus).optional(),
});
export type ListDevices = z.infer<typeof ListDevices>;

export const listDevices = endpoint({
  method: "GET",
  path: "/api/v1/devices",
  permission: "device.read",
  summary: "Devices of the fleet",
  query: ListDevices,
  reply: pageOf(Device),
});

export const Facet = z.object({ value: z.string(), count: z.number().int() });
export const DeviceFacets = z.object({
  status: z.array(Facet),
  certificate: z.array(Facet),
  hardware: z.array(Facet),
  mender: z.array(Facet),
});
export type DeviceFacets = z.infer<typeof DeviceFacets>;

export const getDeviceFacets = endpoint({
  method: "GET",
  path: "/api/v1/devices/facets",
  permission: "device.read",
  summary:
    "How many devices have each status, certificate state, hardware id and state at the Mender server, under the same filter",
  query: ListDevices,
  reply: DeviceFacets,
});

export const getDevice = endpoint({
  method: "GET",
  path: "/api/v1/devices/{uuid}",
  permission: "device.read",
  summary: "One device",
  params: ByUuid,
  reply: Device,
});

export const RenameDevice = z.strictObject({ name: PersonText(200) });
export type RenameDevice = z.infer<typeof RenameDevice>;

export const renameDevice = endpoint({
  method: "PATCH",
  path: "/api/v1/devices/{uuid}",
  permission: "device.rename",
  summary: "Rename a device",
  params: ByUuid,
  body: RenameDevice,
  reply: Device,
});

export const deleteDevice = endpoint({
  method: "DELETE",
  path: "/api/v1/devices/{uuid}",
  permission: "device.delete",
  summary: "Delete a device and revoke its certificates",
  params: ByUuid,
  reply: Empty,
});

export const IssueDevice = z.strictObject({ name: PersonText(200), hardwareId: HardwareId });
export type IssueDevice = z.infer<typeof IssueDevice>;

/** The files of contracts/gateway.md section 5, each as text; shown once, kept nowhere. */
export const CredentialBundle = z.object({
  uuid: Uuid,
  fingerprint: Fingerprint,
  notAfter: Instant,
  files: z.object({
    "pkey.pem": z.string(),
    "client.pem": z.string(),
    "root.crt": z.string(),
    "gateway.url": z.string(),
    "sota.toml": z.string(),
  }),
});
export type CredentialBundle = z.infer<typeof CredentialBundle>;

export const issueDevice = endpoint({
  method: "POST",
  path: "/api/v1/devices/issue",
  permission: "device.issue",
  summary: "Issue a device's credentials; the private key is in the reply and nowhere else",
  body: IssueDevice,
  status: 201,
  reply: CredentialBundle,
});

export const DeviceHardware = z.object({
  system: z.unknown(),
  network: z.object({ hostname: z.string(), localIpv4: z.string(), mac: z.string() }).nullable(),
  packages: z.array(z.object({ name: z.string(), version: z.string() })),
  packagesTotal: z.number().int(),
});
export type DeviceHardware = z.infer<typeof DeviceHardware>;

export const getDeviceHardware = endpoint({
  method: "GET",
  path: "/api/v1/devices/{uuid}/hardware",
  permission: "device.read",
  summary: "System information, network and packages the device reported",
  params: ByUuid,
  reply: DeviceHardware,
});

export const Activity = z.object({
  id: z.string(),
  at: Instant,
  kind: z.enum([
    "connection",
    "certificate",
    "registration",
    "assignment",
    "download",
    "install",
    "report",
    "cancel",
    "change",
  ]),
  text: z.string(),
  detail: z.record(z.string(), z.unknown()).nullable(),
});
export type Activity = z.infer<typeof Activity>;

export const listDeviceActivity = endpoint({
  method: "GET",
  path: "/api/v1/devices/{uuid}/activity",
  permission: "device.read",
  summary: "What happened to a device, newest first",
  params: ByUuid,
  query: ListQuery,
  reply: pageOf(Activity),
});

export const getDeviceManifest = endpoint({
  method: "GET",
  path: "/api/v1/devices/{uuid}/manifests/{sha256}",
  permission: "device.read",
  summary: "A signed manifest as it was received",
  params: z.strictObject({ uuid: Uuid, sha256: z.string().regex(/^[0-9a-f]{64}$/) }),
  reply: z.unknown(),
});

export const SimulatedDevice = z.object({
  uuid: Uuid,
  name: z.string(),
  hardwareId: z.string(),
  secondaries: z.number().int(),
  running: z.boolean(),
  createdAt: Instant,
});
export type SimulatedDevice = z.infer<typeof SimulatedDevice>;

export const StartSimulation = z.strictObject({
  name: PersonText(200).optional(),
  hardwareId: HardwareId.default("rpi4"),
  secondaries: z.number().int().min(0).max(4).default(0),
});
export type StartSimulation = z.infer<typeof StartSimulation>;

export const startSimulation = endpoint({
  method: "POST",
  path: "/api/v1/simulated-devices",
  permission: "simulation.manage",
  summary: "Start a simulated device; it speaks the real protocol through the device door",
  body: StartSimulation,
  status: 201,
  reply: SimulatedDevice,
});

export const listSimulations = endpoint({
  method: "GET",
  path: "/api/v1/simulated-devices",
  permission: "device.read",
  summary: "Simulated devices",
  query: ListQuery,
  reply: pageOf(SimulatedDevice),
});

export const stopSimulation = endpoint({
  method: "POST",
  path: "/api/v1/simulated-devices/{uuid}/stop",
  permission: "simulation.manage",
  summary: "Stop a simulated device; its rows stay until it is deleted",
  params: ByUuid,
  body: z.strictObject({}),
  reply: SimulatedDevice,
});

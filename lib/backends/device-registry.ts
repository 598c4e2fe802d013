import { randomUUID } from "node:crypto";
import { Readable } from "node:stream";
import { z } from "zod";
import { NetworkInfo } from "#lib/contracts/ota/device-registry.ts";
import { AppError, isAppError } from "#lib/errors/app-error.ts";
import { createDeviceGroups, type DeviceGroups } from "./device-groups.ts";
import { type BackendCall, type BackendClient, parseReply } from "./http.ts";

/** A device as any registry lists it. */
export type ListedDevice = {
  uuid: string;
  deviceName: string;
  deviceId: string;
  createdAt: Date;
  lastSeen: Date | null;
  /** One of the contract's words; another registry may know more of them. */
  deviceStatus: string;
};

/** How an update ended on a device, as the director told the registry. */
export type ListedReport = {
  correlationId: string;
  result: { success: boolean; code: string; description: string };
};

export type RegistryBackend = DeviceGroups & {
  /** In the registry's own order, which may change while pages are read. */
  listDevices(
    call: BackendCall,
    page: { offset: number; limit: number },
  ): Promise<{ devices: ListedDevice[]; total: number }>;
  /** null when there is no such device. */
  findDevice(call: BackendCall, uuid: string): Promise<ListedDevice | null>;
  /** The latest, newest first. */
  listReports(call: BackendCall, uuid: string): Promise<ListedReport[]>;
  /** The types of what the device told about one update. */
  listEventTypes(call: BackendCall, of: { uuid: string; correlationId: string }): Promise<string[]>;
  /**
   * Makes the device, or finds it made already. With credentials it may be called again.
   *
   * @throws AppError `device.conflict` when name or id belong to another device
   */
  createDevice(
    call: BackendCall,
    device: { uuid: string; deviceName: string; deviceId: string; credentials?: string },
  ): Promise<void>;
  /** @throws AppError `device.not_found` | `device.conflict` */
  renameDevice(call: BackendCall, device: { uuid: string; name: string }): Promise<void>;
  /** Deleting what is gone is done. */
  deleteDevice(call: BackendCall, uuid: string): Promise<void>;
  /** Replaces all tags of a device. @throws AppError `backend.refused` when the registry has no tags */
  setTags(call: BackendCall, device: { deviceId: string; tags: Readonly<Record<string, string>> }): Promise<void>;
  /** Any JSON; `{}` when the device sent none. @throws AppError `device.not_found` */
  getSystemInfo(call: BackendCall, uuid: string): Promise<unknown>;
  /** null when the device sent none. @throws AppError `device.not_found` */
  getNetwork(call: BackendCall, uuid: string): Promise<{ hostname: string; localIpv4: string; mac: string } | null>;
  /** @throws AppError `device.not_found` */
  listPackages(
    call: BackendCall,
    of: { uuid: string; offset?: number; limit?: number },
  ): Promise<{ packages: { name: string; version: string }[]; total: number }>;
};

const Packages = z.object({
  values: z.array(z.object({ packageId: z.object({ name: z.string(), version: z.string() }) })),
  total: z.number().int(),
});

const Instant = z.iso.datetime({ offset: true }).transform((text) => new Date(text));
const Listed = z.object({
  uuid: z.guid(),
  deviceName: z.string(),
  deviceId: z.string(),
  createdAt: Instant,
  lastSeen: Instant.nullish().transform((at) => at ?? null),
  deviceStatus: z.string(),
});
const ListedPage = z.object({ values: z.array(Listed), total: z.number().int() });
/** The history may list replacements of ECUs beside reports; those have no correlation id. */
const Reports = z.object({
  values: z.array(
    z.object({
      correlationId: z.string().nullish(),
      result: z.object({ success: z.boolean(), code: z.string(), description: z.string() }).nullish(),
    }),
  ),
});
const Events = z.array(z.object({ eventType: z.object({ id: z.string() }) }));
const REPORTS_READ = 20;

export function createRegistryBackend(client: BackendClient): RegistryBackend {
  const device = (uuid: string) => `/api/v1/devices/${encodeURIComponent(uuid)}`;
  const get = <T extends z.ZodType>(call: BackendCall, path: string, schema: T): Promise<z.infer<T>> =>
    client.send(call, { method: "GET", path }).then((reply) => parseReply(client, reply, schema), asDeviceError);
  return {
    ...createDeviceGroups(client),
    async listDevices(call, { offset, limit }) {
      const page = await get(call, `/api/v1/devices?offset=${offset}&limit=${limit}`, ListedPage);
      return { devices: page.values, total: page.total };
    },
    async findDevice(call, uuid) {
      const reply = await client.send(call, { method: "GET", path: device(uuid), accept: [404] });
      return reply.status === 404 ? null : parseReply(client, reply, Listed);
    },
    async listReports(call, uuid) {
      const { values } = await get(call, `${device(uuid)}/installation_reports?limit=${REPORTS_READ}`, Reports);
      return values.flatMap(({ correlationId, result }) =>
        correlationId == null || result == null ? [] : [{ correlationId, result }],
      );
    },
    async listEventTypes(call, { uuid, correlationId }) {
      const path = `${device(uuid)}/events?correlationId=${encodeURIComponent(correlationId)}`;
      return (await get(call, path, Events)).map(({ eventType }) => eventType.id);
    },
    async createDevice(call, given) {
      const body = { ...given, deviceType: "Other" };
      const method = given.credentials === undefined ? "POST" : "PUT";
      const made = await client
        .send(call, { method, path: "/api/v1/devices", json: body, accept: [409] })
        .catch(asDeviceError);
      if (made.status !== 409) {
        const uuid = parseReply(client, made, z.string());
        if (uuid !== given.uuid) throw taken(given);
        return;
      }
      const known = await get(call, device(given.uuid), z.object({ deviceId: z.string() })).catch((error) => {
        if (isAppError(error, "device.not_found")) throw taken(given);
        throw error;
      });
      if (known.deviceId !== given.deviceId) throw taken(given);
    },
    async renameDevice(call, { uuid, name }) {
      await client.send(call, { method: "PATCH", path: device(uuid), json: { deviceName: name } }).catch(asDeviceError);
    },
    async deleteDevice(call, uuid) {
      await client.send(call, { method: "DELETE", path: device(uuid), accept: [404] });
    },
    async setTags(call, { deviceId, tags }) {
      const table = [
        ["DeviceID", ...Object.keys(tags)],
        [deviceId, ...Object.values(tags)],
      ];
      const upload = formOf("custom-device-fields", table.map((cells) => cells.map(quoted).join(";")).join("\r\n"));
      await client.send(call, { method: "POST", path: "/api/v1/device_tags", upload });
    },
    getSystemInfo: (call, uuid) => get(call, `${device(uuid)}/system_info`, z.unknown()),
    async getNetwork(call, uuid) {
      const found = await get(call, `${device(uuid)}/system_info/network`, ReportedNetwork);
      const network = { hostname: found.hostname ?? "", localIpv4: found.local_ipv4 ?? "", mac: found.mac ?? "" };
      return Object.values(network).every((value) => value === "") ? null : network;
    },
    async listPackages(call, { uuid, offset = 0, limit = 1_000 }) {
      const page = await get(call, `${device(uuid)}/packages?offset=${offset}&limit=${limit}`, Packages);
      return { packages: page.values.map(({ packageId }) => packageId), total: page.total };
    },
  };
}

/** [A] says empty strings for what is unknown, [B] null. */
const ReportedNetwork = z.object({
  local_ipv4: NetworkInfo.shape.local_ipv4.nullish(),
  mac: NetworkInfo.shape.mac.nullish(),
  hostname: NetworkInfo.shape.hostname.nullish(),
});

function quoted(cell: string): string {
  return `"${cell.replaceAll('"', '""')}"`;
}

/** A multipart form of one field. */
function formOf(name: string, text: string): { body: Readable; contentType: string } {
  const boundary = `form-${randomUUID()}`;
  const form = `--${boundary}\r\ncontent-disposition: form-data; name="${name}"; filename="${name}.csv"\r\ncontent-type: text/csv\r\n\r\n${text}\r\n--${boundary}--\r\n`;
  return { body: Readable.from([Buffer.from(form)]), contentType: `multipart/form-data; boundary=${boundary}` };
}

function taken(device: { deviceName: string; deviceId: string }): AppError {
  return new AppError(
    "device.conflict",
    `Another device has the name ${device.deviceName} or the device id ${device.deviceId}. Choose another.`,
  );
}

function asDeviceError(error: unknown): never {
  if (isAppError(error, "backend.refused") && error.context.status === 404)
    throw new AppError("device.not_found", "The device registry does not know this device.", { cause: error });
  if (isAppError(error, "backend.refused") && error.context.status === 409)
    throw new AppError("device.conflict", "Another device has this name. Choose another.", { cause: error });
  throw error;
}

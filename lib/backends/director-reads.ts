import { z } from "zod";
import { type BackendCall, type BackendClient, parseReply } from "./http.ts";

/** An ECU that has reported what it runs. */
export type ReportedEcu = {
  id: string;
  hardwareId: string;
  primary: boolean;
  image: { filepath: string; size: number; hash: { sha256: string } };
};

/** What any director tells of devices. */
export type DirectorReads = {
  /** The devices that have registered their ECUs. */
  listDevices(call: BackendCall, page: { offset: number; limit: number }): Promise<{ uuids: string[]; total: number }>;
  /** None when the device has not registered. */
  listReportedEcus(call: BackendCall, deviceUuid: string): Promise<ReportedEcu[]>;
  /** As the device registered it: not judged yet. */
  getPublicKey(call: BackendCall, of: { deviceUuid: string; serial: string }): Promise<unknown>;
};

const ReportedEcus = z.array(
  z.object({
    id: z.string(),
    hardwareId: z.string(),
    primary: z.boolean(),
    image: z.object({ filepath: z.string(), size: z.number(), hash: z.object({ sha256: z.string() }) }),
  }),
);
const DevicePage = z.object({ values: z.array(z.string()), total: z.number().int() });

export function createDirectorReads(client: BackendClient): DirectorReads {
  const admin = (uuid: string) => `/api/v1/admin/devices/${encodeURIComponent(uuid)}`;
  return {
    async listDevices(call, { offset, limit }) {
      const path = `/api/v1/admin/devices?offset=${offset}&limit=${limit}`;
      const page = parseReply(client, await client.send(call, { method: "GET", path }), DevicePage);
      return { uuids: page.values, total: page.total };
    },
    async listReportedEcus(call, deviceUuid) {
      const reply = await client.send(call, { method: "GET", path: admin(deviceUuid), accept: [404] });
      return reply.status === 404 ? [] : parseReply(client, reply, ReportedEcus);
    },
    async getPublicKey(call, { deviceUuid, serial }) {
      const path = `${admin(deviceUuid)}/ecus/${encodeURIComponent(serial)}/public_key`;
      return parseReply(client, await client.send(call, { method: "GET", path }), z.unknown());
    },
  };
}

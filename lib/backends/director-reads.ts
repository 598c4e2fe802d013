import { createHash } from "node:crypto";
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
  /**
   * What each of these devices runs and is to run, as a digest that changes with it, in one request and one for every fifty devices.
   *
   * @returns null from a director that has no such lists (an early [A])
   */
  digestDevices(call: BackendCall, uuids: readonly string[]): Promise<ReadonlyMap<string, string> | null>;
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
/** Only compared with what was said before, whatever it is. */
const ByDevice = z.record(z.string(), z.array(z.unknown()));
/** More ids are left out by the director. */
const QUEUES_AT_ONCE = 50;
const DevicePage = z.object({ values: z.array(z.string()), total: z.number().int() });

/** What a director answers to a path or method that it does not have. */
const UNHEARD_OF = [400, 404, 405];

export function createDirectorReads(client: BackendClient): DirectorReads {
  const admin = (uuid: string) => `/api/v1/admin/devices/${encodeURIComponent(uuid)}`;
  return {
    async listDevices(call, { offset, limit }) {
      const path = `/api/v1/admin/devices?offset=${offset}&limit=${limit}`;
      const page = parseReply(client, await client.send(call, { method: "GET", path }), DevicePage);
      return { uuids: page.values, total: page.total };
    },
    async digestDevices(call, uuids) {
      const path = "/api/v1/admin/devices/list-installed-targets";
      const request = { method: "POST", path, json: uuids, accept: UNHEARD_OF } as const;
      const reply = await client.send(call, request);
      if (reply.status !== 200) return null;
      const installed = new Map(Object.entries(parseReply(client, reply, z.object({ values: ByDevice })).values));
      const queues = new Map<string, unknown[]>();
      for (let from = 0; from < uuids.length; from += QUEUES_AT_ONCE) {
        const ids = uuids.slice(from, from + QUEUES_AT_ONCE).join(",");
        const listed = await client.send(call, {
          method: "GET",
          path: `/api/v1/assignments?ids=${ids}`,
          accept: UNHEARD_OF,
        });
        if (listed.status !== 200) return null;
        for (const [uuid, queue] of Object.entries(parseReply(client, listed, ByDevice))) queues.set(uuid, queue);
      }
      return new Map(uuids.map((uuid) => [uuid, digestOf(installed.get(uuid) ?? [], queues.get(uuid) ?? [])]));
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

/** In whatever order the director has them. */
function digestOf(...lists: readonly unknown[][]): string {
  const sorted = lists.map((list) => list.map((item) => JSON.stringify(item)).sort());
  return createHash("sha256").update(JSON.stringify(sorted)).digest("hex");
}

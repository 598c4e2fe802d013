import { randomUUID } from "node:crypto";
import { once } from "node:events";
import http from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";

/*
 * Somebody else's OTA Connect services, of either generation: replies built by hand from docs/contracts (README.md section 1,
 * device-registry.md sections 1 and 2, director.md sections 2 and 3, reposerver-keyserver.md), no code of ours behind them. What a request
 * of the other generation gets is the framework's plain 404.
 */

export type FakeDevice = {
  uuid: string;
  deviceName: string;
  deviceId: string;
  createdAt: string;
  lastSeen: string | null;
  deviceStatus: string;
};

export type FakeAssignment = { correlationId: string; inFlight: boolean; ecu: string; filename: string };

export type ContractServices = {
  readonly url: string;
  /** `METHOD path?query` of every request, in order. */
  readonly seen: string[];
  readonly devices: Map<string, FakeDevice>;
  readonly assignments: Map<string, FakeAssignment[]>;
  /** By device: what `installation_reports` says, newest first. */
  readonly reports: Map<string, unknown[]>;
  readonly comments: { filename: string; comment: string }[];
  addDevice(name: string, of?: Partial<FakeDevice>): string;
  close(): void;
};

type Reply = { status: number; body: unknown };
type Asked = { method: string; path: string; query: URLSearchParams; headers: http.IncomingHttpHeaders; body: unknown };
const PLAIN_404: Reply = { status: 404, body: undefined };
const INSTALLED = { filepath: "base-1", size: 10, hash: { sha256: "1".repeat(64) } };

export async function startContractServices(generation: "A" | "B"): Promise<ContractServices> {
  const seen: string[] = [];
  const devices = new Map<string, FakeDevice>();
  const assignments = new Map<string, FakeAssignment[]>();
  const reports = new Map<string, unknown[]>();
  const comments = [{ filename: "app_1", comment: "good" }];
  const registry = (asked: Asked) => answerRegistry(generation, { devices, reports }, asked);
  const director = (asked: Asked) => answerDirector(generation, { devices, assignments }, asked);
  const server = http.createServer(async (req, res) => {
    seen.push(`${req.method} ${req.url}`);
    const url = new URL(req.url ?? "/", "http://contract");
    const given = await text(req);
    const body = given === "" ? undefined : JSON.parse(given);
    const asked = { method: req.method ?? "", path: url.pathname, query: url.searchParams, headers: req.headers, body };
    const reply =
      operational(asked) ?? commentsOf(generation, comments, asked) ?? director(asked) ?? registry(asked) ?? PLAIN_404;
    res.setHeader("x-ats-version", `contract-${generation}`);
    if (reply.body === undefined) res.writeHead(reply.status, { "content-type": "text/plain" }).end("not found");
    else res.writeHead(reply.status, { "content-type": "application/json" }).end(JSON.stringify(reply.body));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    seen,
    devices,
    assignments,
    reports,
    comments,
    addDevice(name, of = {}) {
      const uuid = of.uuid ?? randomUUID();
      const createdAt = "2024-03-01T10:00:00Z";
      const device = { uuid, deviceName: name, deviceId: uuid, createdAt, lastSeen: null, deviceStatus: "NotSeen" };
      devices.set(uuid, { ...device, ...of });
      return uuid;
    },
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}

function operational({ method, path }: Asked): Reply | null {
  if (method !== "GET") return null;
  if (path === "/health") return { status: 200, body: { status: "OK" } };
  return path === "/health/version" ? { status: 200, body: { name: "ota-services", version: "1.0" } } : null;
}

function commentsOf(generation: "A" | "B", list: ContractServices["comments"], { path, query }: Asked): Reply | null {
  if (path !== "/api/v1/user_repo/comments") return null;
  if (generation === "A") return { status: 200, body: list };
  const [offset, limit] = [Number(query.get("offset") ?? 0), Number(query.get("limit") ?? 50)];
  return { status: 200, body: page(list.slice(offset, offset + limit), list.length, query) };
}

function answerRegistry(
  generation: "A" | "B",
  { devices, reports }: Pick<ContractServices, "devices" | "reports">,
  { method, path, query, body }: Asked,
): Reply | null {
  const base = generation === "A" ? "/api/v1" : "/device-registry/api/v1";
  if (!path.startsWith(`${base}/devices`)) return null;
  const [, uuid = "", rest = ""] = /^\/devices\/([^/]+)(.*)$/.exec(path.slice(base.length)) ?? [];
  if (uuid === (generation === "A" ? "count" : "dynamic-group-count")) return { status: 200, body: devices.size };
  if (uuid === "") {
    if (method !== "GET") {
      const made = body as { uuid: string; deviceName: string; deviceId: string };
      devices.set(made.uuid, { ...made, createdAt: "2024-03-01T10:00:00Z", lastSeen: null, deviceStatus: "NotSeen" });
      return { status: method === "POST" ? 201 : 200, body: made.uuid };
    }
    const sorted = [...devices.values()].sort((a, b) => (a.uuid < b.uuid ? -1 : 1));
    const offset = Number(query.get("offset") ?? 0);
    const values = sorted.slice(offset, offset + Number(query.get("limit") ?? 50)).map((it) => shape(generation, it));
    return { status: 200, body: page(values, sorted.length, query) };
  }
  const device = devices.get(uuid);
  if (device === undefined) return { status: 404, body: { code: "missing_device", description: "no such device" } };
  if (rest === "/installation_reports") {
    const list = reports.get(uuid) ?? [];
    return { status: 200, body: page(list, list.length, query) };
  }
  if (rest === "/events") return { status: 200, body: [] };
  if (rest !== "") return null;
  if (method === "GET") return { status: 200, body: shape(generation, device) };
  if (method === "DELETE") devices.delete(uuid);
  else Object.assign(device, body);
  return { status: method === "DELETE" ? 202 : 200, body: {} };
}

function shape(generation: "A" | "B", device: FakeDevice) {
  const common = { ...device, namespace: "default", deviceType: "Other", activatedAt: device.lastSeen, notes: null };
  return generation === "A"
    ? common
    : { ...common, hibernated: false, mqttLastSeen: null, mqttStatus: "NotSeen", attributes: {} };
}

function answerDirector(
  generation: "A" | "B",
  { devices, assignments }: Pick<ContractServices, "devices" | "assignments">,
  { method, path, query, headers, body }: Asked,
): Reply | null {
  if (path === "/api/v1/updates") return generation === "B" ? { status: 200, body: page([], 0, query) } : null;
  if (path === "/api/v1/multi_target_updates") return { status: 201, body: randomUUID() };
  if (path === "/api/v1/admin/devices") {
    const offset = Number(query.get("offset") ?? 0);
    const values = [...devices.keys()].slice(offset, offset + Number(query.get("limit") ?? 50));
    return { status: 200, body: page(values, devices.size, query) };
  }
  if (path === "/api/v1/admin/devices/list-installed-targets") {
    const known = (body as string[]).filter((uuid) => devices.has(uuid));
    return { status: 200, body: { values: Object.fromEntries(known.map((uuid) => [uuid, [installedTarget(uuid)]])) } };
  }
  const [, registered] = /^\/api\/v1\/admin\/devices\/([^/]+)$/.exec(path) ?? [];
  if (registered !== undefined) {
    if (!devices.has(registered)) return { status: 404, body: { code: "device_missing_primary_ecu", description: "" } };
    return { status: 200, body: [{ id: `ecu-${registered}`, hardwareId: "rpi4", primary: true, image: INSTALLED }] };
  }
  if (path === "/api/v1/assignments" && method === "POST") {
    const { correlationId, devices: given } = body as { correlationId: string; devices: string[] };
    for (const uuid of given) {
      assignments.set(uuid, [{ correlationId, inFlight: false, ecu: `ecu-${uuid}`, filename: "app_2" }]);
    }
    return { status: 201, body: generation === "A" ? given : { affected: given, notAffected: {} } };
  }
  if (path === "/api/v1/assignments" && method === "GET") {
    if (generation === "A") return null;
    const ids = (query.get("ids") ?? "").split(",").slice(0, 50);
    const queues = ids.map((uuid) => [uuid, (assignments.get(uuid) ?? []).map((it) => queueItem(it))]);
    return { status: 200, body: Object.fromEntries(queues) };
  }
  if (path === "/api/v1/assignments") {
    const dropped = (body as string[]).filter((uuid) => assignments.get(uuid)?.some(({ inFlight }) => !inFlight));
    for (const uuid of dropped) assignments.delete(uuid);
    return { status: 200, body: dropped };
  }
  const [, held] = /^\/api\/v1\/assignments\/([^/]+)$/.exec(path) ?? [];
  if (held === undefined) return null;
  if (method === "PATCH") {
    if (generation === "A") return null;
    if (headers["x-trx-force"] !== "true") return { status: 409, body: { code: "assignment_in_flight_devices" } };
    assignments.delete(held);
    return { status: 204, body: {} };
  }
  return { status: 200, body: (assignments.get(held) ?? []).map((it) => queueItem(it)) };
}

function installedTarget(uuid: string) {
  const { filepath: filename, hash } = INSTALLED;
  return { ecuId: `ecu-${uuid}`, checksum: { method: "sha256", hash: hash.sha256 }, filename, hardwareId: "rpi4" };
}

function queueItem({ correlationId, inFlight, ecu, filename }: FakeAssignment) {
  const fileinfo = { hashes: { sha256: "2".repeat(64) }, length: 20 };
  return { correlationId, inFlight, targets: { [ecu]: { image: { filepath: filename, fileinfo }, uri: null } } };
}

function page(values: readonly unknown[], total: number, query: URLSearchParams) {
  return { values, total, offset: Number(query.get("offset") ?? 0), limit: Number(query.get("limit") ?? 50) };
}

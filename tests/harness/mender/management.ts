import { setTimeout as pause } from "node:timers/promises";
import { type Answered, bearer, type Exchange, empty, fail, isObject, json, readJson } from "./exchange.ts";
import { type Device, type MenderState, newSet, normalisePem, push, setWith, statusOf, USER } from "./state.ts";

const DEVAUTH = "/api/management/v2/devauth";

/** The management API: login and devauth. @see docs/contracts/mender.md sections 1 and 4.1 */
export async function answerManagement(state: MenderState, exchange: Exchange): Promise<Answered> {
  const { req, path } = exchange;
  if (state.knobs.managementDelayMs > 0) await pause(state.knobs.managementDelayMs);
  if (state.knobs.managementStatus !== null)
    return fail(exchange, state.knobs.managementStatus, "as the test wants it");
  if (path === "/api/management/v1/useradm/auth/login" && req.method === "POST") return login(state, exchange);
  if (!state.maySignedIn(bearer(exchange))) {
    exchange.res.setHeader("www-authenticate", 'Bearer realm="ManagementJWT"');
    return fail(exchange, 401, "unauthorized");
  }
  if (path === `${DEVAUTH}/devices` && req.method === "GET") return list(state, exchange, listFilter(exchange));
  if (path === `${DEVAUTH}/devices` && req.method === "POST") return preauthorize(state, exchange);
  if (path === `${DEVAUTH}/devices/search` && req.method === "POST") return search(state, exchange);
  if (path === `${DEVAUTH}/devices/count`) {
    const { status } = listFilter(exchange);
    const counted = [...state.devices.values()].filter((it) => status.length === 0 || status.includes(statusOf(it)));
    return json(exchange, 200, { count: counted.length });
  }
  if (path === `${DEVAUTH}/limits/max_devices`) return json(exchange, 200, { limit: state.knobs.maxDevices });
  const [, id, set] = /^\/api\/management\/v2\/devauth\/devices\/([^/]+)(?:\/auth\/([^/]+)\/status)?$/.exec(path) ?? [];
  if (id === undefined) return fail(exchange, 404, "not found");
  const device = state.devices.get(decodeURIComponent(id));
  if (set !== undefined && req.method === "PUT") return changeStatus(state, exchange, { device, set });
  if (req.method === "DELETE") return decommission(state, exchange, device);
  if (device === undefined) return fail(exchange, 404, "device not found");
  return json(exchange, 200, toJson(device));
}

function login(state: MenderState, exchange: Exchange): Answered {
  const { req, res, body } = exchange;
  if (state.knobs.loginStatus !== null) return fail(exchange, state.knobs.loginStatus, "as the test wants it");
  if (req.headers["transfer-encoding"] !== undefined && body.length === 0) return fail(exchange, 400, "EOF");
  const given = Buffer.from(/^Basic (\S+)$/.exec(req.headers.authorization ?? "")?.[1] ?? "", "base64").toString(
    "utf8",
  );
  const [email = "", ...password] = given.split(":");
  if (email.toLowerCase() !== USER.email || password.join(":") !== USER.password)
    return fail(exchange, 401, "unauthorized");
  res.writeHead(200, { "content-type": "application/jwt" });
  res.end(state.signIn(state.knobs.loginSeconds));
  return "answered";
}

function preauthorize(state: MenderState, exchange: Exchange): Answered {
  const given = readJson(exchange);
  if (given === null) return "answered";
  const { identity_data: identity, pubkey, force } = given;
  if (!isObject(identity) || Object.keys(identity).length === 0)
    return fail(exchange, 400, "identity_data: cannot be blank.");
  const key = typeof pubkey === "string" ? normalisePem(pubkey) : null;
  if (key === null) return fail(exchange, 400, "pubkey: cannot decode public key");
  const device = state.find(identity);
  if (device === undefined) {
    return empty(exchange, 201, { location: `devices/${state.add(identity, key.pem, "preauthorized").id}` });
  }
  if (force !== true || state.knobs.version < 4) return json(exchange, 409, { ...toJson(device), auth_sets: null });
  const set = setWith(device, key.pem) ?? push(device, newSet(identity, key.pem, "preauthorized"));
  set.status = "preauthorized";
  state.tokens.delete(set.id);
  // A fresh id that is nobody's, as the server gives it.
  return empty(exchange, 201, { location: `devices/${crypto.randomUUID()}` });
}

type Filter = { status: string[]; id: string[] };

function listFilter({ query }: Exchange): Filter {
  return { status: query.getAll("status"), id: query.getAll("id") };
}

function search(state: MenderState, exchange: Exchange): Answered {
  const given = readJson(exchange);
  if (given === null) return "answered";
  const listOf = (value: unknown) => (value === undefined ? [] : [value].flat().map(String));
  return list(state, exchange, { status: listOf(given.status), id: listOf(given.id) });
}

function list(state: MenderState, exchange: Exchange, filter: Filter): Answered {
  const { query, path } = exchange;
  const page = Number(query.get("page") ?? 1);
  const perPage = Number(query.get("per_page") ?? 20);
  if (!Number.isInteger(page) || page < 1 || !Number.isInteger(perPage) || perPage < 1 || perPage > 500) {
    return fail(exchange, 400, "invalid page or per_page");
  }
  const found = [...state.devices.values()]
    .filter((device) => filter.status.length === 0 || filter.status.includes(statusOf(device)))
    .filter((device) => filter.id.length === 0 || filter.id.includes(device.id))
    .sort((a, b) => (`${statusOf(a)} ${a.id}` < `${statusOf(b)} ${b.id}` ? -1 : 1));
  const from = (page - 1) * perPage;
  const link = (to: number, rel: string) => `<${path}?page=${to}&per_page=${perPage}>; rel="${rel}"`;
  const links = [link(1, "first")];
  if (page > 1) links.push(link(page - 1, "prev"));
  if (found.length > from + perPage) links.push(link(page + 1, "next"));
  return json(exchange, 200, found.slice(from, from + perPage).map(toJson), { link: links });
}

function changeStatus(
  state: MenderState,
  exchange: Exchange,
  at: { device: Device | undefined; set: string },
): Answered {
  const given = readJson(exchange);
  if (given === null) return "answered";
  const { status } = given;
  if (at.device === undefined) return fail(exchange, 404, "device not found");
  const set = at.device.authSets.find(({ id }) => id === at.set);
  if (set === undefined || (status !== "accepted" && status !== "rejected" && status !== "pending")) {
    return fail(exchange, 400, "dev auth: dev ID and auth ID mismatch");
  }
  const outcome = state.setStatus(at.device, set, status);
  if (outcome === 204) return empty(exchange, 204);
  return fail(
    exchange,
    outcome,
    outcome === 422 ? "maximum number of accepted devices reached" : "dev auth: bad status transition",
  );
}

function decommission(state: MenderState, exchange: Exchange, device: Device | undefined): Answered {
  if (device === undefined) return empty(exchange, 404); // without the body that the specification promises
  for (const { id } of device.authSets) state.tokens.delete(id);
  state.devices.delete(device.id);
  return empty(exchange, 204);
}

function toJson(device: Device) {
  return {
    id: device.id,
    identity_data: device.identity,
    status: statusOf(device),
    created_ts: device.createdAt,
    updated_ts: device.createdAt,
    ...(device.checkedInAt === null ? {} : { check_in_time: device.checkedInAt }),
    decommissioning: device.decommissioning,
    auth_sets: device.authSets.map(({ id, identity, pubkey, status, ts }) => ({
      id,
      identity_data: identity,
      pubkey,
      status,
      ts,
    })),
  };
}

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { getCACertificates } from "node:tls";
import type { Config, Secrets } from "#lib/config/load.ts";
import { MenderConflict, MenderDevice, MenderDevices, MenderError } from "#lib/contracts/mender.ts";
import { AppError } from "#lib/errors/app-error.ts";
import { createBreaker } from "./breaker.ts";
import { type BackendCall, type BackendReply, type BackendRequest, createBackendClient, parseReply } from "./http.ts";

const DEVAUTH = "/api/management/v2/devauth";
const LOGIN = "/api/management/v1/useradm/auth/login";
/** A device waits for its answer. */
const CALL_MS = 5_000;
const READ = [400, 401, 403, 404, 409, 413, 415, 422, 429, 500, 502, 503, 504];

export type Preauthorized = { readonly kind: "created" } | { readonly kind: "exists"; readonly deviceId: string };
export type StatusChange = "changed" | "limit_reached" | "not_allowed" | "absent";

/** The management API of a Mender server. Each call but `signIn` takes the token and throws `mender.token_refused` when it does not count. */
export type MenderBackend = {
  readonly url: string;
  /** Hex SHA-256 of address and user: what a stored token must have been made for. */
  readonly account: string;
  /** The personal access token; null where we sign in. */
  readonly personalToken: string | null;
  /** @returns the token. @throws AppError `mender.sign_in_refused` | `mender.unavailable` | `backend.*` */
  signIn(call: BackendCall): Promise<string>;
  /** Makes the identity known with this key before the device asks. `force` replaces nothing but adds the key to an identity that exists (servers from 4.0). */
  preauthorize(
    call: BackendCall,
    token: string,
    set: { identity: Readonly<Record<string, unknown>>; pubkey: string; force?: true },
  ): Promise<Preauthorized>;
  findDevice(call: BackendCall, token: string, deviceId: string): Promise<MenderDevice | null>;
  listDevices(call: BackendCall, token: string, at: { page: number; perPage: number }): Promise<MenderDevice[]>;
  /** Those of at most 500 ids that exist. */
  searchDevices(call: BackendCall, token: string, ids: readonly string[]): Promise<MenderDevice[]>;
  setStatus(
    call: BackendCall,
    token: string,
    change: { deviceId: string; authSetId: string; status: "accepted" | "rejected" },
  ): Promise<StatusChange>;
  close(): void;
};

/** @returns null without MENDER_URL. @throws AppError `config.invalid` when MENDER_CA can't be read */
export function createMenderBackend(config: Config, secrets: Secrets): MenderBackend | null {
  const { menderApiUrl: url, MENDER_USER: user } = config;
  if (url === null) return null;
  const ca = readMenderCa(config);
  const client = createBackendClient({
    name: "Mender server",
    baseUrl: url,
    token: null,
    breaker: createBreaker({ name: "Mender server" }),
    ...(ca === null ? {} : { ca }),
  });
  async function send(call: BackendCall, token: string, request: BackendRequest): Promise<BackendReply> {
    const headers = { authorization: `Bearer ${token}`, "x-men-requestid": call.requestId };
    const reply = await client.send(call, { withinMs: CALL_MS, ...request, headers, accept: READ });
    throwOnTrouble(reply);
    return reply;
  }
  return {
    url,
    account: createHash("sha256")
      .update(`${url}\n${user ?? ""}`)
      .digest("hex"),
    personalToken: secrets.MENDER_TOKEN ?? null,
    async signIn(call) {
      const basic = Buffer.from(`${user ?? ""}:${secrets.MENDER_PASSWORD ?? ""}`).toString("base64");
      const headers = { authorization: `Basic ${basic}`, accept: "application/jwt, application/json" };
      const reply = await client.send(call, { method: "POST", path: LOGIN, headers, accept: READ, withinMs: CALL_MS });
      if (reply.status === 401 || reply.status === 403) throw signInRefused();
      if (reply.status !== 200) throwOnTrouble(reply);
      const token = reply.body.toString("utf8").trim();
      if (!/^[\x21-\x7e]{1,8192}$/.test(token)) {
        throw new AppError("backend.invalid_reply", "The Mender server's sign-in gave no token.");
      }
      return token;
    },
    async preauthorize(call, token, { identity, pubkey, force }) {
      const json = { identity_data: identity, pubkey, ...(force === undefined ? {} : { force }) };
      const reply = await send(call, token, { method: "POST", path: `${DEVAUTH}/devices`, json });
      if (reply.status === 201) return { kind: "created" };
      if (reply.status !== 409) throw refused(reply);
      return { kind: "exists", deviceId: parseReply(client, reply, MenderConflict).id };
    },
    async findDevice(call, token, deviceId) {
      const path = `${DEVAUTH}/devices/${encodeURIComponent(deviceId)}`;
      const reply = await send(call, token, { method: "GET", path });
      if (reply.status === 404) return null;
      return reply.status === 200 ? parseReply(client, reply, MenderDevice) : throwRefused(reply);
    },
    async listDevices(call, token, { page, perPage }) {
      const path = `${DEVAUTH}/devices?page=${page}&per_page=${perPage}`;
      const reply = await send(call, token, { method: "GET", path, withinMs: 30_000 });
      return reply.status === 200 ? parseReply(client, reply, MenderDevices) : throwRefused(reply);
    },
    async searchDevices(call, token, ids) {
      const path = `${DEVAUTH}/devices/search?page=1&per_page=500`;
      const reply = await send(call, token, { method: "POST", path, json: { id: ids }, withinMs: 30_000 });
      return reply.status === 200 ? parseReply(client, reply, MenderDevices) : throwRefused(reply);
    },
    async setStatus(call, token, { deviceId, authSetId, status }) {
      const path = `${DEVAUTH}/devices/${encodeURIComponent(deviceId)}/auth/${encodeURIComponent(authSetId)}/status`;
      const reply = await send(call, token, { method: "PUT", path, json: { status } });
      const answer = STATUS_CHANGES[reply.status];
      return answer ?? throwRefused(reply);
    },
    close: () => client.close(),
  };
}

/** The authorities that the Mender server's certificate may come from; null for the system's own. @throws AppError `config.invalid` */
export function readMenderCa({ MENDER_CA: file }: Pick<Config, "MENDER_CA">): string[] | null {
  if (file === undefined) return null;
  const text = tryRead(file);
  if (!text.includes("-----BEGIN CERTIFICATE-----")) {
    throw new AppError("config.invalid", `MENDER_CA (${file}) holds no certificate. Give a PEM file of the authority.`);
  }
  return [...getCACertificates("default"), text];
}

function tryRead(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (cause) {
    const why = `MENDER_CA (${file}) can't be read. Check the path and who may read it.`;
    throw new AppError("config.invalid", why, { cause });
  }
}

const STATUS_CHANGES: Readonly<Record<number, StatusChange>> = {
  204: "changed",
  400: "not_allowed",
  404: "absent",
  422: "limit_reached",
};

function throwOnTrouble(reply: BackendReply): void {
  const context = { status: reply.status };
  if (reply.status === 401)
    throw new AppError("mender.token_refused", "The Mender server refuses our token.", { context });
  if (reply.status === 403) {
    throw new AppError("mender.forbidden", "The Mender user may not do this: check its role.", { context });
  }
  if (reply.status === 429 || reply.status >= 500) {
    throw new AppError("mender.unavailable", `The Mender server can't answer now (status ${reply.status}).`, {
      context,
    });
  }
}

function throwRefused(reply: BackendReply): never {
  throw refused(reply);
}

function refused(reply: BackendReply): AppError {
  const why = saidBy(reply) ?? `status ${reply.status}`;
  return new AppError("mender.refused", `The Mender server refused: ${why}`, { context: { status: reply.status } });
}

function saidBy(reply: BackendReply): string | null {
  try {
    return MenderError.parse(JSON.parse(reply.body.toString("utf8"))).error;
  } catch {
    return null; // some refusals have no body
  }
}

function signInRefused(): AppError {
  const why = "The Mender server refuses MENDER_USER with MENDER_PASSWORD. Check both, or use a personal access token.";
  return new AppError("mender.sign_in_refused", why);
}

import http from "node:http";
import https from "node:https";
import tls from "node:tls";
import { type DeviceDoor, openDeviceDoor } from "#gateway/device-door.ts";
import { createDoorMetrics, type DoorMetrics } from "#gateway/door-metrics.ts";
import { createUpstreams, type Upstreams } from "#gateway/upstreams.ts";
import type { Config, Secrets } from "#lib/config/load.ts";
import { ensureAuthorities, loadDoorRootPem } from "#services/authorities/service.ts";
import type { IdentityCtx } from "#services/identity/service.ts";
import { listenLocally } from "#tests/harness/listen.ts";

export const SERVICES_TOKEN = "test-services-token-0123456789abcdef";

/** A back end that records what arrives and answers what it is told. */
export type RecordingUpstream = {
  readonly url: string;
  readonly requests: { method: string; url: string; headers: http.IncomingHttpHeaders; body: Buffer }[];
  answer: (req: http.IncomingMessage, res: http.ServerResponse, body: Buffer) => void;
  close(): Promise<void>;
};

export async function openRecordingUpstream(): Promise<RecordingUpstream> {
  const upstream: Pick<RecordingUpstream, "requests" | "answer"> = {
    requests: [],
    answer: (_req, res) => res.writeHead(200, { "content-type": "application/json" }).end("{}"),
  };
  const server = http.createServer((req, res) => {
    const chunks: Buffer[] = [];
    req.on("data", (chunk: Buffer) => chunks.push(chunk));
    req.on("end", () => {
      const body = Buffer.concat(chunks);
      upstream.requests.push({ method: req.method ?? "", url: req.url ?? "", headers: req.headers, body });
      upstream.answer(req, res, body);
    });
  });
  return Object.assign(upstream, await listenLocally(server));
}

export type Credentials = { readonly pem: string; readonly privateKeyPem: string };

export type DoorReplySeen = {
  status: number;
  headers: http.IncomingHttpHeaders;
  body: Buffer;
  /** The refusal's code, from body or header. */
  code: string | undefined;
};

export type TestDoor = {
  readonly door: DeviceDoor;
  readonly metrics: DoorMetrics;
  readonly rootPem: string;
  /** One request over a connection of its own, as aktualizr does it. */
  request(
    credentials: Credentials | null,
    options?: {
      method?: string;
      path?: string;
      headers?: http.OutgoingHttpHeaders;
      body?: Buffer | string;
    } & tls.ConnectionOptions,
  ): Promise<DoorReplySeen>;
  /** A bare TLS connection. */
  connect(credentials: Credentials | null, options?: tls.ConnectionOptions): Promise<tls.TLSSocket>;
  close(): Promise<void>;
};

/** The real device door in front of a recording upstream, on a port of its own. */
export async function openTestDoor(options: {
  ctx: IdentityCtx;
  databaseUrl: string;
  upstreamUrl: string;
  /** Whether the director is somebody else's. */
  external?: boolean;
  /** On top of the context's. */
  settings?: Partial<Config>;
  mender?: Parameters<typeof openDeviceDoor>[0]["mender"];
}): Promise<TestDoor> {
  const config: Config = {
    ...options.ctx.config,
    DEVICE_DOOR_HOST: "127.0.0.1",
    DEVICE_DOOR_PORT: 0,
    directorUrl: options.upstreamUrl,
    deviceRegistryUrl: options.upstreamUrl,
    reposerverUrl: options.upstreamUrl,
    treehubUrl: options.upstreamUrl,
    ...(options.external === true ? { DIRECTOR_URL: options.upstreamUrl } : {}),
    ...options.settings,
  };
  const secrets: Secrets = { SERVICES_TOKEN };
  const ctx = { ...options.ctx, config };
  await ensureAuthorities(ctx);
  const upstreams: Upstreams = createUpstreams(config, secrets);
  const metrics = createDoorMetrics();
  const { databaseUrl, mender = null } = options;
  const door = await openDeviceDoor({ ctx, databaseUrl, upstreams, metrics, mender });
  const rootPem = await loadDoorRootPem(ctx);
  const at = (credentials: Credentials | null): tls.ConnectionOptions => ({
    host: "127.0.0.1",
    port: door.port,
    servername: "localhost",
    ca: rootPem,
    ...(credentials === null ? {} : { cert: credentials.pem, key: credentials.privateKeyPem }),
  });
  return {
    door,
    metrics,
    rootPem,
    request: (credentials, { method = "GET", path = "/director/targets.json", headers = {}, body, ...extra } = {}) =>
      new Promise((done, fail) => {
        const req = https.request({ ...at(credentials), ...extra, agent: false, method, path, headers }, (res) => {
          const chunks: Buffer[] = [];
          res.on("data", (chunk: Buffer) => chunks.push(chunk));
          res.on("error", fail);
          res.on("end", () => {
            const received = Buffer.concat(chunks);
            const code = res.headers["x-gatehouse-code"];
            done({
              status: res.statusCode ?? 0,
              headers: res.headers,
              body: received,
              code: typeof code === "string" ? code : undefined,
            });
          });
        });
        req.on("error", fail);
        req.end(body);
      }),
    connect: (credentials, extra = {}) =>
      new Promise((done, fail) => {
        const socket = tls.connect({ ...at(credentials), ...extra }, () => done(socket));
        socket.on("error", fail);
      }),
    async close() {
      await door.close();
      upstreams.close();
    },
  };
}

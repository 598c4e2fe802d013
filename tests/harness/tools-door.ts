import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import type http from "node:http";
import https from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type tls from "node:tls";
import { createDoorMetrics } from "#gateway/door-metrics.ts";
import { openToolsAccess, type ToolsAccess } from "#gateway/tools-access.ts";
import { openToolsDoor, type ToolsDoor } from "#gateway/tools-door.ts";
import { createUpstreams } from "#gateway/upstreams.ts";
import { SYSTEM } from "#lib/authz/actor.ts";
import type { ToolScope } from "#lib/authz/tool-scopes.ts";
import type { Config } from "#lib/config/load.ts";
import type { Ctx } from "#lib/ctx.ts";
import { createMachineClient, type MachineClientMade } from "#services/accounts/service.ts";
import { loadDoorRootPem } from "#services/authorities/service.ts";
import { type Credentials, SERVICES_TOKEN } from "#tests/harness/door.ts";

export type ToolsReply = { status: number; headers: http.IncomingHttpHeaders; body: Buffer; json: () => unknown };

export type TestToolsDoor = {
  readonly door: ToolsDoor;
  readonly access: ToolsAccess;
  readonly rootPem: string;
  readonly url: string;
  /** TLS options of a client that trusts the door. */
  readonly tls: tls.ConnectionOptions;
  request(options: {
    method?: string;
    path: string;
    headers?: http.OutgoingHttpHeaders;
    body?: Buffer | string;
    credentials?: Credentials;
    agent?: https.Agent;
  }): Promise<ToolsReply>;
  /** Asks for an access token and fails when there is none. */
  token(client: MachineClientMade, scope?: string): Promise<string>;
  client(scopes: ToolScope[], certificatePem?: string): Promise<MachineClientMade>;
  close(): Promise<void>;
};

/** The real tools door in front of an upstream, on a port of its own. */
export async function openTestToolsDoor(options: {
  ctx: Ctx;
  databaseUrl: string;
  upstreamUrl: string;
}): Promise<TestToolsDoor> {
  const config: Config = {
    ...options.ctx.config,
    TOOLS_DOOR_HOST: "127.0.0.1",
    TOOLS_DOOR_PORT: 0,
    directorUrl: options.upstreamUrl,
    reposerverUrl: options.upstreamUrl,
    treehubUrl: options.upstreamUrl,
  };
  const ctx = { ...options.ctx, config };
  const rootPem = await loadDoorRootPem(ctx);
  const upstreams = createUpstreams(config, { SERVICES_TOKEN });
  const access = await openToolsAccess(ctx, options.databaseUrl);
  const door = await openToolsDoor({ ctx, access, upstreams, metrics: createDoorMetrics() });
  const at = { host: "127.0.0.1", port: door.port, servername: "localhost", ca: rootPem };
  const request: TestToolsDoor["request"] = ({ method = "GET", path, headers = {}, body, credentials, agent }) =>
    new Promise((done, fail) => {
      const own = credentials === undefined ? {} : { cert: credentials.pem, key: credentials.privateKeyPem };
      const req = https.request({ ...at, ...own, agent: agent ?? false, method, path, headers }, (res) => {
        const chunks: Buffer[] = [];
        res.on("data", (chunk: Buffer) => chunks.push(chunk));
        res.on("error", fail);
        res.on("end", () => {
          const received = Buffer.concat(chunks);
          const json = () => JSON.parse(received.toString("utf8")) as unknown;
          done({ status: res.statusCode ?? 0, headers: res.headers, body: received, json });
        });
      });
      req.on("error", fail);
      req.end(body);
    });
  return {
    door,
    access,
    rootPem,
    url: `https://localhost:${door.port}`,
    tls: at,
    request,
    async token(client, scope) {
      const reply = await request({
        method: "POST",
        path: "/token",
        headers: { authorization: basicOf(client), "content-type": "application/x-www-form-urlencoded" },
        body: `grant_type=client_credentials${scope === undefined ? "" : `&scope=${scope}`}`,
      });
      const body = reply.json();
      if (reply.status === 200 && typeof body === "object" && body !== null && "access_token" in body) {
        return String(body.access_token);
      }
      throw new Error(`no token: ${reply.status} ${reply.body}`);
    },
    client: (scopes, certificatePem) =>
      createMachineClient(ctx, SYSTEM, {
        name: "build machine",
        scopes,
        ...(certificatePem === undefined ? {} : { certificatePem }),
      }),
    async close() {
      await door.close();
      await access.close();
      upstreams.close();
    },
  };
}

export function basicOf({ clientId, clientSecret }: { clientId: string; clientSecret: string }): string {
  return `Basic ${Buffer.from(`${clientId}:${clientSecret}`).toString("base64")}`;
}

/** A certificate as docs/guides/build-tools.md has people make one: by itself, for client authentication. */
export function selfMadeCertificate(): Credentials {
  const folder = mkdtempSync(join(tmpdir(), "gatehouse-client-"));
  const [key, certificate] = [join(folder, "key.pem"), join(folder, "client.pem")];
  const words = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=build -days 365";
  const usage = ["-addext", "extendedKeyUsage=clientAuth", "-addext", "basicConstraints=critical,CA:FALSE"];
  execFileSync("openssl", [...words.split(" "), ...usage, "-keyout", key, "-out", certificate], { stdio: "ignore" });
  const made = { pem: readFileSync(certificate, "utf8"), privateKeyPem: readFileSync(key, "utf8") };
  rmSync(folder, { recursive: true });
  return made;
}

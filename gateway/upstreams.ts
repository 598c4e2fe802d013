import http from "node:http";
import https from "node:https";
import { type Breaker, createBreaker } from "#lib/backends/breaker.ts";
import { type Config, requireSecret, type Secrets } from "#lib/config/load.ts";
import { MACHINE_HEADER } from "#lib/http/machine-header.ts";
import type { Destination } from "./path-map.ts";

/** One back end as the door reaches it: kept-open connections, and the token it wants. */
export type Upstream = {
  /** So that devices are not kept waiting for somebody else's service that is away; null for our own, which refuse at once. */
  readonly breaker: Breaker | null;
  request(options: { method: string; path: string; headers: http.OutgoingHttpHeaders }): http.ClientRequest;
};

export type Upstreams = Readonly<Record<Destination["upstream"], Upstream>> & { close(): void };

/**
 * @param registryPath where the device registry has what the contract knows under a path; embedded, it has it there
 * @throws AppError `config.invalid` when SERVICES_TOKEN is missing and a service is embedded
 */
export function createUpstreams(
  config: Config,
  secrets: Secrets,
  registryPath: (path: string) => string = (path) => path,
): Upstreams {
  const agents: http.Agent[] = [];
  const connect = (
    name: string,
    external: string | undefined,
    at: { baseUrl: string; toPath?: typeof registryPath },
  ): Upstream => {
    const { baseUrl, toPath = (path: string) => path } = at;
    const base = new URL(baseUrl);
    const transport = base.protocol === "https:" ? https : http;
    const agent = new transport.Agent({ keepAlive: true, maxFreeSockets: 64 });
    agents.push(agent);
    const token = external === undefined ? requireSecret(secrets, "SERVICES_TOKEN") : secrets.BACKEND_TOKEN;
    const authorization = token === undefined ? {} : { authorization: `Bearer ${token}` };
    return {
      breaker: external === undefined ? null : createBreaker({ name }),
      request: ({ method, path, headers }) =>
        transport.request({
          agent,
          method,
          host: base.hostname.replace(/^\[|\]$/g, ""),
          ...(base.port === "" ? {} : { port: base.port }),
          path: `${base.pathname.replace(/\/$/, "")}${toPath(path)}`,
          headers: { ...(external === undefined ? headers : withoutMachine(headers)), ...authorization },
        }),
    };
  };
  return {
    director: connect("director", config.DIRECTOR_URL, { baseUrl: config.directorUrl }),
    registry: connect("device registry", config.DEVICE_REGISTRY_URL, {
      baseUrl: config.deviceRegistryUrl,
      toPath: registryPath,
    }),
    reposerver: connect("image repository", config.REPOSERVER_URL, { baseUrl: config.reposerverUrl }),
    treehub: connect("TreeHub", config.TREEHUB_URL, { baseUrl: config.treehubUrl }),
    close() {
      for (const agent of agents) agent.destroy();
    },
  };
}

/** Who builds here is no business of somebody else's service, which has no audit log of ours. */
function withoutMachine({ [MACHINE_HEADER]: _, ...headers }: http.OutgoingHttpHeaders): http.OutgoingHttpHeaders {
  return headers;
}

import http from "node:http";
import https from "node:https";
import { type Config, requireSecret, type Secrets } from "#lib/config/load.ts";
import type { Destination } from "./path-map.ts";

/** One back end as the door reaches it: kept-open connections, and the token it wants. */
export type Upstream = {
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
  const connect = (baseUrl: string, external: string | undefined, toPath = (path: string) => path): Upstream => {
    const base = new URL(baseUrl);
    const transport = base.protocol === "https:" ? https : http;
    const agent = new transport.Agent({ keepAlive: true, maxFreeSockets: 64 });
    agents.push(agent);
    const token = external === undefined ? requireSecret(secrets, "SERVICES_TOKEN") : secrets.BACKEND_TOKEN;
    const authorization = token === undefined ? {} : { authorization: `Bearer ${token}` };
    return {
      request: ({ method, path, headers }) =>
        transport.request({
          agent,
          method,
          host: base.hostname.replace(/^\[|\]$/g, ""),
          ...(base.port === "" ? {} : { port: base.port }),
          path: `${base.pathname.replace(/\/$/, "")}${toPath(path)}`,
          headers: { ...headers, ...authorization },
        }),
    };
  };
  return {
    director: connect(config.directorUrl, config.DIRECTOR_URL),
    registry: connect(config.deviceRegistryUrl, config.DEVICE_REGISTRY_URL, registryPath),
    reposerver: connect(config.reposerverUrl, config.REPOSERVER_URL),
    treehub: connect(config.treehubUrl, config.TREEHUB_URL),
    close() {
      for (const agent of agents) agent.destroy();
    },
  };
}

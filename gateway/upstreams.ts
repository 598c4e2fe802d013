import type { Readable } from "node:stream";
import { type Breaker, createBreaker } from "#lib/backends/breaker.ts";
import { type Config, requireSecret, type Secrets } from "#lib/config/load.ts";
import { MACHINE_HEADER } from "#lib/http/machine-header.ts";
import { type Connections, createConnections } from "./connections.ts";
import type { Destination } from "./path-map.ts";

/** One back end as the door reaches it: kept-open connections, and the token it wants. */
export type Upstream = {
  /** So that devices are not kept waiting for somebody else's service that is away; null for our own, which refuse at once. */
  readonly breaker: Breaker | null;
  /** Never throws: what goes wrong is told to the handler. */
  dispatch(request: UpstreamRequest, handler: Parameters<Connections["dispatch"]>[1]): void;
};

export type UpstreamRequest = {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Readable | null;
  /** How long the back end may be silent, in milliseconds. */
  readonly idleMs: number;
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
  const opened: Connections[] = [];
  const connect = (
    name: string,
    external: string | undefined,
    at: { baseUrl: string; toPath?: typeof registryPath },
  ): Upstream => {
    const { baseUrl, toPath = (path: string) => path } = at;
    const base = new URL(baseUrl);
    const prefix = base.pathname.replace(/\/$/, "");
    const connections = createConnections(base.origin);
    opened.push(connections);
    const token = external === undefined ? requireSecret(secrets, "SERVICES_TOKEN") : secrets.BACKEND_TOKEN;
    const authorization = token === undefined ? {} : { authorization: `Bearer ${token}` };
    return {
      breaker: external === undefined ? null : createBreaker({ name }),
      dispatch({ method, path, headers, body, idleMs }, handler) {
        const said = external === undefined ? headers : withoutMachine(headers);
        connections.dispatch(
          {
            method,
            path: `${prefix}${toPath(path)}`,
            headers: { ...said, ...authorization },
            body,
            headersTimeout: idleMs,
            bodyTimeout: idleMs,
          },
          handler,
        );
      },
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
      for (const connections of opened) connections.close();
    },
  };
}

/** Who builds here is no business of somebody else's service, which has no audit log of ours. */
function withoutMachine({ [MACHINE_HEADER]: _, ...headers }: UpstreamRequest["headers"]): UpstreamRequest["headers"] {
  return headers;
}

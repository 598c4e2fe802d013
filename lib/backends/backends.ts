import type { Config, Secrets } from "#lib/config/load.ts";
import { requireSecret } from "#lib/config/load.ts";
import type { Ctx } from "#lib/ctx.ts";
import { isAppError } from "#lib/errors/app-error.ts";
import { createRegistryBackend, type RegistryBackend } from "./device-registry.ts";
import { createDirectorBackend, type DirectorBackend } from "./director.ts";
import { type BackendCall, type BackendClient, createBackendClient } from "./http.ts";
import { createRelay } from "./relay.ts";
import { createReposerverBackend, type ReposerverBackend } from "./reposerver.ts";
import { createTreehubBackend, type TreehubBackend } from "./treehub.ts";

/** It may sign for a thousand devices. */
const MAINTENANCE_MS = 120_000;
/** A turn may assign an image to five thousand devices. */
const DUE_MS = 60_000;

export type BackendHealth = { name: string; ok: boolean; latencyMs: number | null; error: string | null };

export type Backends = {
  readonly registry: RegistryBackend;
  readonly director: DirectorBackend;
  readonly reposerver: ReposerverBackend;
  readonly treehub: TreehubBackend;
  /** Asks each how it is; never throws. */
  probe(call: BackendCall): Promise<BackendHealth[]>;
  /** Whether the embedded services can use their storage of blobs; nothing to ask when none is embedded. */
  checkStorage(call: BackendCall): Promise<void>;
  /** Has the embedded services re-sign what ends soon; nothing to do when none is embedded. */
  maintain(call: BackendCall): Promise<void>;
  /** Has them start what is due: updates set for a time, images that devices wait for. */
  runDue(call: BackendCall): Promise<void>;
  close(): void;
};

/** The context of a process that calls back ends: console, gateway, worker. */
export type BackendCtx = Ctx & { readonly backends: Backends };

/** @throws AppError `config.invalid` when SERVICES_TOKEN is missing and a service is embedded */
export function createBackends(config: Config, secrets: Secrets): Backends {
  const connect = (name: string, baseUrl: string, external: string | undefined) =>
    createBackendClient({
      name,
      baseUrl,
      token: external === undefined ? requireSecret(secrets, "SERVICES_TOKEN") : (secrets.BACKEND_TOKEN ?? null),
    });
  const registry = connect("device registry", config.deviceRegistryUrl, config.DEVICE_REGISTRY_URL);
  const director = connect("director", config.directorUrl, config.DIRECTOR_URL);
  const reposerver = connect("image repository", config.reposerverUrl, config.REPOSERVER_URL);
  const clients = [registry, director, reposerver];
  const treehub = connect("TreeHub", config.treehubUrl, config.TREEHUB_URL);
  const relay = createRelay(config, secrets);
  const embedded = [
    config.DEVICE_REGISTRY_URL === undefined ? registry : null,
    config.DIRECTOR_URL === undefined ? director : null,
    config.REPOSERVER_URL === undefined ? reposerver : null,
  ].find((client) => client !== null);
  return {
    registry: createRegistryBackend(registry),
    director: createDirectorBackend(director),
    reposerver: createReposerverBackend(reposerver, config.REPOSERVER_URL === undefined, relay),
    treehub: createTreehubBackend(treehub, config.TREEHUB_URL === undefined),
    probe: (call) => Promise.all(clients.map((client) => probe(client, call))),
    async checkStorage(call) {
      await embedded?.send(call, { method: "GET", path: "/api/v1/gatehouse/storage" });
    },
    async maintain(call) {
      await embedded?.send(call, { method: "POST", path: "/api/v1/gatehouse/maintenance", withinMs: MAINTENANCE_MS });
    },
    async runDue(call) {
      await embedded?.send(call, { method: "POST", path: "/api/v1/gatehouse/due", withinMs: DUE_MS });
    },
    close() {
      for (const client of clients) client.close();
      treehub.close();
      relay.close();
    },
  };
}

async function probe(client: BackendClient, call: BackendCall): Promise<BackendHealth> {
  const started = performance.now();
  try {
    await client.send(call, { method: "GET", path: "/health" });
    return { name: client.name, ok: true, latencyMs: Math.round(performance.now() - started), error: null };
  } catch (error) {
    if (!isAppError(error)) throw error;
    return { name: client.name, ok: false, latencyMs: null, error: error.message };
  }
}

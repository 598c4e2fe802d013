import type { Config, Secrets } from "#lib/config/load.ts";
import type { BackendCapability, BackendReport, BackendSummary } from "#lib/contracts/console/back-ends.ts";
import type { Ctx } from "#lib/ctx.ts";
import { isAppError } from "#lib/errors/app-error.ts";
import { capabilitiesOf, createSpeakingClient, lackOf, speak } from "./capabilities.ts";
import { createRegistryBackend, type RegistryBackend } from "./device-registry.ts";
import { createDirectorBackend, type DirectorBackend } from "./director.ts";
import { createSpokenFinder, type SpokenFinder, toRegistryPath } from "./generation.ts";
import { type BackendCall, type BackendClient, createBackendClient } from "./http.ts";
import { createKeyserverBackend, type KeyserverBackend } from "./keyserver.ts";
import { BACKEND_IDS, type BackendId, type BackendLink, createLinks } from "./links.ts";
import { createMenderBackend, type MenderBackend } from "./mender.ts";
import { createRelay, type Relay } from "./relay.ts";
import { createReposerverBackend, type ReposerverBackend } from "./reposerver.ts";
import { createRepositoryKeysBackend, type RepositoryKeysBackend } from "./repository-keys.ts";
import { createTreehubBackend, type TreehubBackend } from "./treehub.ts";

/** It may sign for a thousand devices. */
const MAINTENANCE_MS = 120_000;
/** A turn may assign an image to five thousand devices. */
const DUE_MS = 60_000;
/** Somebody looks at a page and waits. */
const PROBE_MS = 3_000;

export type BackendHealth = {
  name: string;
  isExternal: boolean;
  ok: boolean;
  latencyMs: number | null;
  error: string | null;
};

export type Backends = {
  readonly registry: RegistryBackend;
  readonly director: DirectorBackend;
  readonly reposerver: ReposerverBackend;
  readonly treehub: TreehubBackend;
  readonly keyserver: KeyserverBackend;
  /** Roots, keys and signing of the image repository and the director. */
  readonly repositoryKeys: RepositoryKeysBackend;
  /** The Mender server that the gateway stands in front of, if any. */
  readonly mender: MenderBackend | null;
  /** For bytes that are too many to be held, and for calls that are passed on as they are. */
  readonly relay: Relay;
  /** What back ends there are, without asking them. */
  list(): BackendSummary[];
  /** Asks one how it is and what it can do, whatever its breaker knows; never throws. */
  inspect(call: BackendCall, id: BackendId): Promise<BackendReport>;
  /** What it means for a person that a back end lacks something; null when it has it. @throws AppError `backend.*` when nobody knows */
  lack(call: BackendCall, id: BackendId, capability: BackendCapability["name"]): Promise<string | null>;
  /** Asks each that the console can't do without, and each external one, how it is, unless its breaker is open; never throws. */
  probe(call: BackendCall): Promise<BackendHealth[]>;
  /** Where the device registry has what [A] knows under `path`, as far as is known now; while it is not, that is found out for the next time. */
  registryPath(call: BackendCall, path: string): string;
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

type Connection = { link: BackendLink; plain: BackendClient; client: BackendClient; spoken: SpokenFinder };

/** @throws AppError `config.invalid` when SERVICES_TOKEN is missing and a service is embedded, or MENDER_CA can't be read */
export function createBackends(config: Config, secrets: Secrets): Backends {
  const links = createLinks(config, secrets);
  const connect = (id: BackendId): Connection => {
    const link = links[id];
    const plain = createBackendClient(link);
    const spoken = createSpokenFinder(link, plain, { setting: generationSet(config, id) });
    return { link, plain, spoken, client: createSpeakingClient(link, plain, spoken.find) };
  };
  const to: Record<BackendId, Connection> = {
    "device-registry": connect("device-registry"),
    director: connect("director"),
    reposerver: connect("reposerver"),
    keyserver: connect("keyserver"),
    treehub: connect("treehub"),
  };
  const relay = createRelay(links, async (call, { service, path }) => {
    const { link, spoken } = to[service];
    return link.isExternal ? speak(link, await spoken.find(call), path) : path;
  });
  const isGatehouse = (id: BackendId) => async (call: BackendCall) => (await to[id].spoken.find(call)).isGatehouse;
  const embedded = BACKEND_IDS.map((id) => to[id]).find(({ link }) => !link.isExternal)?.client;
  const probed = BACKEND_IDS.map((id) => to[id]).filter(
    ({ link }) => link.isExternal || (link.id !== "keyserver" && link.id !== "treehub"),
  );
  const mender = createMenderBackend(config, secrets);
  return {
    mender,
    registry: createRegistryBackend(to["device-registry"].client),
    director: createDirectorBackend(to.director.client, to.director.spoken.find),
    reposerver: createReposerverBackend(to.reposerver.client, isGatehouse("reposerver"), relay),
    treehub: createTreehubBackend(to.treehub.client, isGatehouse("treehub"), relay),
    keyserver: createKeyserverBackend(to.keyserver.client),
    repositoryKeys: createRepositoryKeysBackend({ image: to.reposerver.client, director: to.director.client }, relay),
    relay,
    list: () => BACKEND_IDS.map((id) => summarise(links[id])),
    inspect: (call, id) => inspect(to[id], call),
    lack: async (call, id, capability) => lackOf(to[id].link, await to[id].spoken.find(call), capability),
    probe: (call) => Promise.all(probed.map((connection) => probe(connection, call))),
    registryPath(call, path) {
      const { spoken } = to["device-registry"];
      const known = spoken.known();
      if (known === null) spoken.find(call).catch(() => undefined);
      return toRegistryPath(known?.generation ?? config.DEVICE_REGISTRY_GENERATION ?? null, path);
    },
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
      for (const id of BACKEND_IDS) to[id].plain.close();
      relay.close();
      mender?.close();
    },
  };
}

function generationSet(config: Config, id: BackendId): "A" | "B" | undefined {
  switch (id) {
    case "device-registry":
      return config.DEVICE_REGISTRY_GENERATION;
    case "director":
      return config.DIRECTOR_GENERATION;
    case "reposerver":
      return config.REPOSERVER_GENERATION;
    case "keyserver":
    case "treehub":
      return undefined; // there is one only
  }
}

function summarise({ id, name, baseUrl, isExternal }: BackendLink): BackendSummary {
  const url = new URL(baseUrl);
  url.username = "";
  url.password = "";
  return { id, name, url: url.href.replace(/\/$/, ""), isExternal };
}

async function inspect(connection: Connection, call: BackendCall): Promise<BackendReport> {
  const { link, plain, spoken } = connection;
  const started = performance.now();
  const report = { ...summarise(link), latencyMs: null, error: null, version: null };
  try {
    const reply = await plain.send(call, { method: "GET", path: "/health", isProbe: true, withinMs: PROBE_MS });
    const latencyMs = Math.round(performance.now() - started);
    const found = await spoken.find(call);
    return {
      ...report,
      isReachable: true,
      latencyMs,
      version: reply.version,
      generation: found.generation,
      capabilities: capabilitiesOf(link, found),
      breaker: link.breaker.state(),
    };
  } catch (error) {
    if (!isAppError(error)) throw error;
    const known = spoken.known();
    return {
      ...report,
      isReachable: false,
      error: error.message,
      generation: known?.generation ?? null,
      capabilities: known === null ? null : capabilitiesOf(link, known),
      breaker: link.breaker.state(),
    };
  }
}

async function probe({ link, plain }: Connection, call: BackendCall): Promise<BackendHealth> {
  const { name, isExternal } = link;
  const started = performance.now();
  try {
    // Whoever looks at many back ends does not wait for a distant one that is known to be away; ours answers or refuses at once.
    const isKnown = isExternal && link.breaker.state() === "open";
    const isProbe = isKnown ? {} : ({ isProbe: true } as const);
    await plain.send(call, { method: "GET", path: "/health", ...isProbe, withinMs: PROBE_MS });
    return { name, isExternal, ok: true, latencyMs: Math.round(performance.now() - started), error: null };
  } catch (error) {
    if (!isAppError(error)) throw error;
    return { name, isExternal, ok: false, latencyMs: null, error: error.message };
  }
}

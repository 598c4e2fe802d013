import { type Config, requireSecret, type Secrets } from "#lib/config/load.ts";
import { type Breaker, createBreaker } from "./breaker.ts";

export const BACKEND_IDS = ["device-registry", "director", "reposerver", "keyserver", "treehub"] as const;
export type BackendId = (typeof BACKEND_IDS)[number];

/** How one back end is reached. Everybody in a process who calls it shares its breaker. */
export type BackendLink = {
  readonly id: BackendId;
  /** As people know it. */
  readonly name: string;
  readonly baseUrl: string;
  readonly isExternal: boolean;
  /** null for a service that asks for none. */
  readonly token: string | null;
  readonly breaker: Breaker;
};

export type BackendLinks = Readonly<Record<BackendId, BackendLink>>;

/** @throws AppError `config.invalid` when SERVICES_TOKEN is missing and a service is embedded */
export function createLinks(config: Config, secrets: Secrets): BackendLinks {
  const link = (id: BackendId, of: { name: string; baseUrl: string; external: string | undefined }): BackendLink => {
    const isExternal = of.external !== undefined;
    const token = isExternal ? (secrets.BACKEND_TOKEN ?? null) : requireSecret(secrets, "SERVICES_TOKEN");
    return { id, name: of.name, baseUrl: of.baseUrl, isExternal, token, breaker: createBreaker({ name: of.name }) };
  };
  return {
    "device-registry": link("device-registry", {
      name: "device registry",
      baseUrl: config.deviceRegistryUrl,
      external: config.DEVICE_REGISTRY_URL,
    }),
    director: link("director", { name: "director", baseUrl: config.directorUrl, external: config.DIRECTOR_URL }),
    reposerver: link("reposerver", {
      name: "image repository",
      baseUrl: config.reposerverUrl,
      external: config.REPOSERVER_URL,
    }),
    keyserver: link("keyserver", {
      name: "keyserver",
      baseUrl: config.keyserverUrl,
      external: config.KEYSERVER_URL,
    }),
    treehub: link("treehub", { name: "TreeHub", baseUrl: config.treehubUrl, external: config.TREEHUB_URL }),
  };
}

import type { QueryValue } from "./fetcher.ts";

/** Query of a list as it stands in the URL and in the query key. */
export type ListParams = Readonly<Record<string, QueryValue>>;

/**
 * Query keys: server prefetch and browser must agree on them. The first element is the area, so that an event about an area
 * reaches everything drawn from it.
 */
export const keys = {
  devices: {
    all: ["devices"] as const,
    list: (params: ListParams) => ["devices", "list", tidy(params)] as const,
    facets: (params: ListParams) => ["devices", "facets", tidy(params)] as const,
    one: (uuid: string) => ["devices", "one", uuid] as const,
    mender: (uuid: string) => ["devices", "mender", uuid] as const,
    hardware: (uuid: string) => ["devices", "hardware", uuid] as const,
    activity: (uuid: string, params: ListParams = {}) => ["devices", "activity", uuid, tidy(params)] as const,
  },
  deviceGroups: {
    all: ["device-groups"] as const,
    list: (params: ListParams) => ["device-groups", "list", tidy(params)] as const,
    names: (ids: readonly string[]) => ["device-groups", "names", ids] as const,
  },
  simulations: { all: ["simulations"] as const },
  certificates: {
    all: ["certificates"] as const,
    list: (params: ListParams) => ["certificates", "list", tidy(params)] as const,
    one: (fingerprint: string) => ["certificates", "one", fingerprint] as const,
    inForce: (fingerprint: string) => ["certificates", "in-force", fingerprint] as const,
    allowlist: (params: ListParams) => ["certificates", "allowlist", tidy(params)] as const,
    forecast: (params: ListParams) => ["certificates", "forecast", tidy(params)] as const,
    expiring: (params: ListParams) => ["certificates", "expiring", tidy(params)] as const,
    campaigns: (params: ListParams) => ["certificates", "campaigns", tidy(params)] as const,
    campaign: (id: string) => ["certificates", "campaign", id] as const,
    campaignDevices: (id: string, params: ListParams) => ["certificates", "campaign", id, tidy(params)] as const,
    posture: ["certificates", "posture"] as const,
    findings: (code: string, params: ListParams) => ["certificates", "posture", code, tidy(params)] as const,
    provisioning: (params: ListParams) => ["certificates", "provisioning", tidy(params)] as const,
    tokens: (params: ListParams) => ["certificates", "tokens", tidy(params)] as const,
    est: ["certificates", "est"] as const,
  },
  authorities: {
    all: ["authorities"] as const,
    list: (params: ListParams) => ["authorities", "list", tidy(params)] as const,
    one: (id: string) => ["authorities", "one", id] as const,
    inForce: (id: string) => ["authorities", "in-force", id] as const,
    publication: (id: string) => ["authorities", "publication", id] as const,
    serverCa: ["authorities", "server-ca"] as const,
    serverCaDevices: (params: ListParams) => ["authorities", "server-ca-devices", tidy(params)] as const,
  },
  notices: {
    all: ["notices"] as const,
    list: (params: ListParams) => ["notices", "list", tidy(params)] as const,
  },
  refusals: {
    all: ["refusals"] as const,
    list: (params: ListParams) => ["refusals", "list", tidy(params)] as const,
    one: (id: string) => ["refusals", "one", id] as const,
    rates: ["refusals", "rates"] as const,
  },
  images: {
    all: ["images"] as const,
    list: (params: ListParams) => ["images", "list", tidy(params)] as const,
    one: (filename: string) => ["images", "one", filename] as const,
    openpgpKeys: ["images", "openpgp-keys"] as const,
  },
  updates: {
    all: ["updates"] as const,
    list: (params: ListParams) => ["updates", "list", tidy(params)] as const,
    one: (id: string) => ["updates", "one", id] as const,
    devices: (id: string, params: ListParams) => ["updates", "devices", id, tidy(params)] as const,
  },
  users: { all: ["users"] as const, list: (params: ListParams) => ["users", "list", tidy(params)] as const },
  machineClients: {
    all: ["machine-clients"] as const,
    list: (params: ListParams) => ["machine-clients", "list", tidy(params)] as const,
  },
  tokens: { all: ["tokens"] as const, list: (params: ListParams) => ["tokens", "list", tidy(params)] as const },
  audit: { all: ["audit"] as const, list: (params: ListParams) => ["audit", "list", tidy(params)] as const },
  backends: {
    all: ["back-ends"] as const,
    gateways: ["back-ends", "gateways"] as const,
    list: ["back-ends", "list"] as const,
    one: (id: string) => ["back-ends", "one", id] as const,
    mender: ["back-ends", "mender"] as const,
    headerMode: ["back-ends", "header-mode"] as const,
    menderLog: (params: ListParams) => ["back-ends", "mender-log", tidy(params)] as const,
  },
  overview: { all: ["overview"] as const },
  signingKeys: { all: ["signing-keys"] as const },
} as const;

/** Questions whose totals the rail shows. */
export const PENDING_COUNT = { state: "pending", limit: 1 } as const;
export const RUNNING_COUNT = { state: "running", limit: 1 } as const;

/** What the bell shows: its total is the count beside it. */
export const BELL_NOTICES = { state: "open", limit: 8 } as const;

/** What an event of a topic makes out of date. */
export const AREAS_OF_TOPIC: Readonly<Record<string, readonly string[]>> = {
  device: ["devices", "simulations", "overview"],
  certificate: ["certificates", "authorities", "devices", "overview"],
  refusal: ["refusals", "overview"],
  notice: ["notices", "overview"],
  image: ["images", "overview"],
  update: ["updates", "devices", "images", "overview"],
  account: ["users", "tokens", "machine-clients"],
  audit: ["audit", "overview"],
  simulation: ["simulations", "devices"],
  key: ["signing-keys", "images", "overview"],
};

/** Absent, empty and null are the same question, so they must be the same key. */
function tidy(params: ListParams): ListParams {
  return Object.fromEntries(
    Object.entries(params).filter(([, value]) => {
      if (value === null || value === undefined || value === "") return false;
      return typeof value !== "object" || value.length > 0;
    }),
  );
}

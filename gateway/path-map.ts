import { readSegments, withoutSlash } from "./path-segments.ts";
import { treehubReadPath } from "./treehub-paths.ts";

/** Where a request goes. */
export type Destination = {
  readonly upstream: "director" | "registry" | "reposerver" | "treehub";
  /** Percent-encoded, with query where the client's counts. */
  readonly path: string;
  readonly maxBodyBytes: number;
  /** A target's bytes: the client writes error bodies into its file, so there must be none. */
  readonly isDownload: boolean;
};

export type Mapped =
  | { readonly to: "upstream"; readonly destination: Destination }
  | { readonly to: "campaigns" }
  | { readonly to: "nowhere"; readonly status: 400 | 404 | 405; readonly allow: readonly string[] };

const KIB = 1024;
const MIB = 1024 * KIB;

/**
 * Maps a device's request to the back end's path. Only what is listed exists; the query is dropped, as no device sends one.
 *
 * Both slash forms of the writes are accepted: aktualizr calls them without, and a redirect would lose bodies.
 *
 * @param url the request target as received; anything but a plain absolute path is 400
 * @param deviceUuid from the certificate; it becomes part of the path
 * @see contracts/gateway.md section 2
 */
export function mapPath(method: string, url: string, deviceUuid: string): Mapped {
  const segments = readSegments(url);
  if (segments === null) return { to: "nowhere", status: 400, allow: [] };
  const route = findRoute(segments, deviceUuid);
  if (route === null) return { to: "nowhere", status: 404, allow: [] };
  if (!route.methods.includes(method)) return { to: "nowhere", status: 405, allow: route.methods };
  return route.mapped;
}

/** Does this request ask for a target's bytes? Answered for refused requests too, whose replies must then be empty. */
export function isDownload(url: string): boolean {
  return url.startsWith("/repo/targets/");
}

type Route = { readonly methods: readonly string[]; readonly mapped: Mapped };

function findRoute(segments: readonly string[], deviceUuid: string): Route | null {
  const [area, ...rest] = segments;
  switch (area) {
    case "director":
      return directorRoute(rest, deviceUuid);
    case "repo":
      return repoRoute(rest);
    case "treehub":
      return treehubRoute(rest);
    case "core":
    case "system_info":
    case "events":
      return registryRoute(withoutSlash(segments).join("/"), deviceUuid);
    case "campaigner":
      // There is no campaigner; aktualizr wants a list, and an empty one is the truth.
      return rest.join("/") === "campaigns" ? { methods: ["GET"], mapped: { to: "campaigns" } } : null;
    default:
      return null;
  }
}

const ROLE_FILE = /^(?:[1-9][0-9]{0,8}\.)?root\.json$|^(?:targets|snapshot|timestamp)\.json$/;

/** What the director signs for all devices of a namespace. */
const REPOSITORY_ROLE_FILE =
  /^(?:offline-updates\/(?:[1-9][0-9]{0,8}\.)?[A-Za-z0-9_-]{1,253}|offline-snapshot|remote-sessions)\.json$/;

function directorRoute(rest: readonly string[], deviceUuid: string): Route | null {
  const name = withoutSlash(rest).join("/");
  const base = `/api/v1/device/${deviceUuid}`;
  if (name === "ecus") return upstream(["POST"], { upstream: "director", path: `${base}/ecus`, maxBodyBytes: MIB });
  if (name === "manifest")
    return upstream(["PUT"], { upstream: "director", path: `${base}/manifest`, maxBodyBytes: 2 * MIB });
  const file = rest.join("/");
  if (!ROLE_FILE.test(file) && !REPOSITORY_ROLE_FILE.test(file)) return null;
  return upstream(["GET"], { upstream: "director", path: `${base}/${file}`, maxBodyBytes: 0 });
}

/** Reading only: the same address offers the whole repository API, writes included. */
function repoRoute(rest: readonly string[]): Route | null {
  const [first = "", ...names] = rest;
  const base = "/api/v1/user_repo";
  const read = (path: string) =>
    upstream(["GET"], { upstream: "reposerver", path: `${base}/${path}`, maxBodyBytes: 0 });
  if (names.length === 0) return ROLE_FILE.test(first) ? read(first) : null;
  if (first === "delegations" && names.length === 1 && /^[^.].*\.json$/.test(names[0] ?? "")) {
    return read(`delegations/${encodeURIComponent(names[0] ?? "")}`);
  }
  if (first !== "targets" || names.at(-1) === "") return null;
  const path = `${base}/targets/${names.map(encodeURIComponent).join("/")}`;
  return upstream(["GET", "HEAD"], { upstream: "reposerver", path, maxBodyBytes: 0, isDownload: true });
}

/** What libostree reads. A summary and whatever else it tries do not exist, which it takes well. */
function treehubRoute(rest: readonly string[]): Route | null {
  const path = treehubReadPath(rest);
  if (path === null) return null;
  return upstream(["GET", "HEAD"], { upstream: "treehub", path: `/api/v2/${path}`, maxBodyBytes: 0 });
}

function registryRoute(name: string, deviceUuid: string): Route | null {
  const device = `/api/v1/devices/${deviceUuid}`;
  const own = `/api/v1/mydevice/${deviceUuid}`;
  const write = (method: string, path: string, maxBodyBytes: number) =>
    upstream([method], { upstream: "registry", path, maxBodyBytes });
  switch (name) {
    case "core/installed":
      return write("PUT", `${own}/packages`, 4 * MIB);
    case "core/system_info":
      return write("PUT", `${own}/system_info`, 2 * MIB);
    case "system_info":
      return write("PUT", `${device}/system_info`, 2 * MIB);
    case "system_info/network":
      return write("PUT", `${device}/system_info/network`, 64 * KIB);
    case "system_info/config":
      return write("POST", `${device}/system_info/config`, MIB);
    case "events":
      return write("POST", `${device}/events`, 4 * MIB);
    default:
      return null;
  }
}

function upstream(
  methods: readonly string[],
  destination: Omit<Destination, "isDownload"> & { isDownload?: true },
): Route {
  const isDownload = destination.isDownload ?? false;
  return { methods, mapped: { to: "upstream", destination: { ...destination, isDownload } } };
}

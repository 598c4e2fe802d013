import type { ToolScope } from "#lib/authz/tool-scopes.ts";
import type { Destination } from "./path-map.ts";
import { readSegments } from "./path-segments.ts";
import { readTreehubPath, type TreehubKind } from "./treehub-paths.ts";

export type ToolsMapped =
  | {
      readonly to: "upstream";
      readonly destination: Destination;
      /** Holding one of these is enough. */
      readonly scopes: readonly ToolScope[];
    }
  | { readonly to: "nowhere"; readonly status: 400 | 404 | 405; readonly allow: readonly string[] };

const MIB = 1024 * 1024;
const GIB = 1024 * MIB;
/** TreeHub takes objects of up to 3 GB, the image repository images of 4 GB and some. */
const MAX_OBJECT_BYTES = 3 * GIB;
const MAX_IMAGE_BYTES = 8 * GIB;
const MAX_METADATA_BYTES = 64 * MIB;

/** What a method at an address needs, and how large its body may be. */
type Act = { readonly scopes: readonly ToolScope[]; readonly maxBodyBytes: number };
type Acts = Readonly<Record<string, Act>>;

/**
 * Maps a build tool's request to the back end's path. Only what is listed exists: of the image repository `user_repo`, of the
 * director the repository that garage-sign serves in its director mode, never the keyserver and never our own extensions.
 *
 * The path is judged decoded and encoded anew; the query goes along as it is.
 *
 * @param url the request target as received
 * @see docs/contracts/treehub.md section 1; docs/contracts/reposerver-keyserver.md sections 1 to 5 and 8.1
 */
export function mapToolsPath(method: string, url: string): ToolsMapped {
  const segments = readSegments(url);
  if (segments === null) return { to: "nowhere", status: 400, allow: [] };
  const found = findRoute(segments);
  if (found === null) return { to: "nowhere", status: 404, allow: [] };
  const act = Object.hasOwn(found.acts, method) ? found.acts[method] : undefined;
  if (act === undefined) return { to: "nowhere", status: 405, allow: Object.keys(found.acts) };
  const { upstream, path } = found;
  const at = url.indexOf("?");
  return {
    to: "upstream",
    destination: {
      upstream,
      path: at < 0 ? path : `${path}${url.slice(at)}`,
      maxBodyBytes: act.maxBodyBytes,
      isDownload: false,
    },
    scopes: act.scopes,
  };
}

type Route = { readonly upstream: Destination["upstream"]; readonly path: string; readonly acts: Acts };

function findRoute(segments: readonly string[]): Route | null {
  const [area, ...rest] = segments;
  if (area === "treehub") return treehubRoute(withoutPrefix(rest, ["api", "v3"], ["api", "v2"]));
  const repo = startsWith(segments, ["repo", "api", "v1", "user_repo"]);
  if (repo !== null) return userRepoRoute(repo);
  // garage-sign appends `api/v1/director/admin/repo/` to api_gateway.url, which may be our address with or without /director.
  const director =
    startsWith(segments, ["api", "v1", "director", "admin", "repo"]) ??
    startsWith(segments, ["director", "api", "v1", "admin", "repo"]) ??
    startsWith(segments, ["director", "api", "v1", "director", "admin", "repo"]);
  return director === null ? null : directorRoute(director);
}

const READ_TREEHUB: Act = { scopes: ["treehub:read", "treehub:push"], maxBodyBytes: 0 };
const pushTreehub = (maxBodyBytes: number): Act => ({ scopes: ["treehub:push"], maxBodyBytes });

const TREEHUB_ACTS: Readonly<Record<TreehubKind, Acts>> = {
  config: { GET: READ_TREEHUB, HEAD: READ_TREEHUB },
  object: {
    HEAD: READ_TREEHUB,
    GET: READ_TREEHUB,
    POST: pushTreehub(MAX_OBJECT_BYTES),
    PUT: pushTreehub(0),
    DELETE: pushTreehub(0),
  },
  ref: { HEAD: READ_TREEHUB, GET: READ_TREEHUB, POST: pushTreehub(4_096) },
  manifest: { PUT: pushTreehub(8 * MIB) },
  delta: { DELETE: pushTreehub(0) },
  "delta-file": { GET: READ_TREEHUB, HEAD: READ_TREEHUB, POST: pushTreehub(MAX_OBJECT_BYTES) },
  "delta-index": { GET: READ_TREEHUB, HEAD: READ_TREEHUB },
  deltas: { GET: READ_TREEHUB, POST: { ...READ_TREEHUB, maxBodyBytes: MIB } },
};

function treehubRoute(rest: readonly string[]): Route | null {
  const found = readTreehubPath(rest);
  return found === null ? null : { upstream: "treehub", path: `/api/v3/${found.path}`, acts: TREEHUB_ACTS[found.kind] };
}

const READ_REPO: Act = { scopes: ["repo:read", "repo:write"], maxBodyBytes: 0 };
const writeRepo = (maxBodyBytes: number): Act => ({ scopes: ["repo:write"], maxBodyBytes });
const keysOffline = (maxBodyBytes: number): Act => ({ scopes: ["keys:offline"], maxBodyBytes });
/** Taking keys offline begins with reading the root and the targets that they sign. */
const READ_ROLE: Act = { scopes: ["repo:read", "repo:write", "keys:offline"], maxBodyBytes: 0 };

const ROOT_VERSION = /^(?:[1-9][0-9]{0,8}\.)?root\.json$/;
const KEY_ID = /^[0-9a-f]{64}$/;
const ROLE_FILE = /^[^.].*\.json$/;
const NAME = /^[A-Za-z0-9_-][A-Za-z0-9_.-]{0,252}$/;

/** Exact addresses below `user_repo`, and `*` for a name of one segment or `**` for a target's name of several. */
const USER_REPO: readonly (readonly [string, Acts])[] = [
  ["", { POST: writeRepo(4_096) }],
  ["root", { GET: READ_ROLE, POST: keysOffline(MIB) }],
  ["root/rotate", { PUT: keysOffline(0) }],
  ["targets.json", { GET: READ_ROLE, HEAD: READ_ROLE }],
  ["snapshot.json", { GET: READ_ROLE, HEAD: READ_ROLE }],
  ["timestamp.json", { GET: READ_ROLE, HEAD: READ_ROLE }],
  ["targets", { PUT: writeRepo(MAX_METADATA_BYTES) }],
  ["targets/expire/not-before", { PUT: writeRepo(4_096) }],
  [
    "targets/**",
    {
      GET: READ_REPO,
      HEAD: READ_REPO,
      PUT: writeRepo(MAX_IMAGE_BYTES),
      POST: writeRepo(MIB),
      PATCH: writeRepo(MIB),
      DELETE: writeRepo(0),
    },
  ],
  ["proprietary-custom/**", { PATCH: writeRepo(MIB) }],
  ["target_items", { GET: READ_REPO }],
  ["target_items/**", { GET: READ_REPO }],
  ["comments", { GET: READ_REPO }],
  ["comments/**", { GET: READ_REPO, PUT: writeRepo(MIB) }],
  ["list-target-comments", { POST: { ...READ_REPO, maxBodyBytes: MIB } }],
  ["multipart/**", { GET: writeRepo(0), POST: writeRepo(MIB), PUT: writeRepo(GIB) }],
  ["uploads/**", { PUT: writeRepo(MAX_IMAGE_BYTES) }],
  ["trusted-delegations", { GET: READ_REPO, PUT: writeRepo(4 * MIB) }],
  ["trusted-delegations/keys", { GET: READ_REPO, PUT: writeRepo(4 * MIB) }],
  ["trusted-delegations/info", { GET: READ_REPO }],
  ["trusted-delegations/*", { DELETE: writeRepo(0) }],
  ["trusted-delegations/*/remote", { PUT: writeRepo(MIB) }],
  ["trusted-delegations/*/remote/refresh", { PUT: writeRepo(MIB) }],
  ["trusted-delegations/*/info", { GET: READ_REPO, PATCH: writeRepo(MIB) }],
  ["delegations_items", { GET: READ_REPO }],
  ["delegations_items/**", { GET: READ_REPO }],
];

function userRepoRoute(rest: readonly string[]): Route | null {
  const acts = keyActs(rest) ?? delegationActs(rest) ?? USER_REPO.find(([pattern]) => matches(pattern, rest))?.[1];
  if (acts === undefined) return null;
  return { upstream: "reposerver", path: ["/api/v1/user_repo", ...rest.map(encodeURIComponent)].join("/"), acts };
}

/** Versions of root by anybody who reads; private keys by who takes them offline. */
function keyActs(rest: readonly string[]): Acts | undefined {
  const [first = "", second = "", third = ""] = rest;
  if (rest.length === 1 && ROOT_VERSION.test(first)) return { GET: READ_ROLE, HEAD: READ_ROLE };
  const isKey = rest.length === 3 && first === "root" && second === "private_keys" && KEY_ID.test(third);
  return isKey ? { GET: keysOffline(0), DELETE: keysOffline(0) } : undefined;
}

function delegationActs(rest: readonly string[]): Acts | undefined {
  const isRole = rest.length === 2 && rest[0] === "delegations" && ROLE_FILE.test(rest[1] ?? "");
  return isRole ? { GET: READ_REPO, PUT: writeRepo(MAX_METADATA_BYTES) } : undefined;
}

/** What garage-sign's director mode calls: its roles, and its keys. All of it by who takes keys offline. */
function directorRoute(rest: readonly string[]): Route | null {
  const [first = "", second = ""] = rest;
  const path = ["/api/v1/admin/repo", ...rest.map(encodeURIComponent)].join("/");
  if (rest.length === 1 && first === "root") return { upstream: "director", path, acts: { POST: keysOffline(MIB) } };
  if (rest.length === 1 && (ROOT_VERSION.test(first) || first === "targets.json")) {
    return { upstream: "director", path, acts: { GET: keysOffline(0) } };
  }
  if (rest.length !== 2 || first !== "private_keys" || !KEY_ID.test(second)) return null;
  return { upstream: "director", path, acts: { GET: keysOffline(0), DELETE: keysOffline(0) } };
}

function matches(pattern: string, rest: readonly string[]): boolean {
  const parts = pattern === "" ? [] : pattern.split("/");
  if (parts.at(-1) === "**") {
    const fixed = parts.slice(0, -1);
    return rest.length > fixed.length && rest.at(-1) !== "" && fixed.every((part, index) => part === rest[index]);
  }
  return (
    parts.length === rest.length &&
    parts.every((part, index) => (part === "*" ? NAME.test(rest[index] ?? "") : part === rest[index]))
  );
}

function startsWith(segments: readonly string[], prefix: readonly string[]): readonly string[] | null {
  return prefix.every((part, index) => part === segments[index]) ? segments.slice(prefix.length) : null;
}

function withoutPrefix(segments: readonly string[], ...prefixes: readonly (readonly string[])[]): readonly string[] {
  for (const prefix of prefixes) {
    const rest = startsWith(segments, prefix);
    if (rest !== null) return rest;
  }
  return segments;
}

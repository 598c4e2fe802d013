import type { Permission } from "#lib/authz/permissions.ts";

export const PROXIED_SERVICES = ["device-registry", "director", "reposerver"] as const;
export type ProxiedService = (typeof PROXIED_SERVICES)[number];
export type ProxyMethod = "GET" | "POST" | "PUT" | "PATCH" | "DELETE";

/**
 * One end point of the OTA Connect contracts that people may reach through `/api/proxy`. In `path`, `{}` stands for one segment and
 * a last `{+}` for the rest, which may contain slashes (file names).
 */
export type ProxyRow = {
  readonly service: ProxiedService;
  readonly method: ProxyMethod;
  readonly path: string;
  readonly permission: Permission;
  /** An image's bytes rather than a JSON document. */
  readonly upload?: true;
  /** The console's own part of the same act: a deleted device must not come in again, and no device gets an image that does not verify. */
  readonly also?: "revoke-certificates" | "judge-images";
};

/**
 * What is not here does not exist for the proxy: first of all what devices call (their manifests, events and metadata are only worth
 * something when they come through the device door), then key material and the back ends' own administration of each other.
 */
export const PROXY_TABLE: readonly ProxyRow[] = [
  ...rows("device-registry", "GET", "device.read", [
    "/api/v1/devices",
    "/api/v1/devices/count",
    "/api/v1/devices/stats",
    "/api/v1/devices/{}",
    "/api/v1/devices/{}/groups",
    "/api/v1/devices/{}/packages",
    "/api/v1/devices/{}/installation_reports",
    "/api/v1/devices/{}/installation_history",
    "/api/v1/devices/{}/device_tags",
    "/api/v1/devices/{}/public_credentials",
    "/api/v1/devices/{}/events",
    "/api/v1/devices/{}/system_info",
    "/api/v1/devices/{}/system_info/network",
    "/api/v1/devices/{}/device_count/{}/{}",
    "/api/v1/devices/{}/active_device_count",
    "/api/v1/device_groups",
    "/api/v1/device_groups/{}",
    "/api/v1/device_groups/{}/count",
    "/api/v1/device_groups/{}/devices",
    "/api/v1/device_tags",
    "/api/v1/device_packages",
    "/api/v1/device_packages/{}",
    "/api/v1/device_count/{}/{}",
    "/api/v1/active_device_count",
    "/api/v1/package_lists",
    "/api/v1/package_lists/{}/{}",
    "/api/v2/devices/{}/events",
  ]),
  ...rows("device-registry", "POST", "device.read", ["/api/v1/device_packages/affected"]),
  ...rows("device-registry", "POST", "device.issue", ["/api/v1/devices"]),
  ...rows("device-registry", "PUT", "device.issue", ["/api/v1/devices"]),
  ...rows("device-registry", "PUT", "device.rename", ["/api/v1/devices/{}"]),
  ...rows("device-registry", "PATCH", "device.rename", ["/api/v1/devices/{}"]),
  {
    service: "device-registry",
    method: "DELETE",
    path: "/api/v1/devices/{}",
    permission: "device.delete",
    also: "revoke-certificates",
  },
  ...rows("device-registry", "POST", "device.rename", ["/api/v1/devices/{}/hibernation"]),
  ...rows("device-registry", "PATCH", "group.manage", ["/api/v1/devices/{}/device_tags"]),
  ...rows("device-registry", "POST", "group.manage", [
    "/api/v1/device_groups",
    "/api/v1/device_groups/{}/devices/{}",
    "/api/v1/device_groups/{}/hibernation",
    "/api/v1/device_tags",
    "/api/v1/package_lists",
  ]),
  ...rows("device-registry", "PUT", "group.manage", [
    "/api/v1/device_groups/{}/rename",
    "/api/v1/device_tags/{}",
    "/api/v1/package_lists",
  ]),
  ...rows("device-registry", "DELETE", "group.manage", [
    "/api/v1/device_groups/{}",
    "/api/v1/device_groups/{}/devices/{}",
    "/api/v1/device_tags/{}",
    "/api/v1/package_lists/{}/{}",
  ]),

  ...rows("director", "GET", "device.read", [
    "/api/v1/admin/repo/root.json",
    "/api/v1/admin/repo/{}",
    "/api/v1/admin/repo/offline-updates/{}",
    "/api/v1/admin/devices",
    "/api/v1/admin/devices/hardware_identifiers",
    "/api/v1/admin/devices/ecus",
    "/api/v1/admin/devices/{}",
    "/api/v1/admin/devices/{}/ecus/{}/public_key",
    "/api/v1/admin/devices/{}/ecus/{}/auto_update",
    "/api/v1/admin/devices/{}/gatehouse/state",
    "/api/v1/admin/devices/{}/gatehouse/manifests/{}",
  ]),
  ...rows("director", "POST", "device.read", [
    "/api/v1/admin/devices/list-installed-targets",
    "/api/v1/admin/images/installed_count",
  ]),
  ...rows("director", "GET", "update.read", [
    "/api/v1/multi_target_updates/{}",
    "/api/v1/assignments",
    "/api/v1/assignments/devices",
    "/api/v1/assignments/{}",
  ]),
  ...judged(rows("director", "POST", "update.launch", ["/api/v1/multi_target_updates", "/api/v1/assignments"])),
  ...judged(rows("director", "PUT", "update.launch", ["/api/v1/admin/devices/{}/multi_target_update/{}"])),
  ...rows("director", "PUT", "update.launch", ["/api/v1/admin/devices/{}/ecus/{}/auto_update/{}"]),
  ...rows("director", "DELETE", "update.cancel", [
    "/api/v1/assignments/{}",
    "/api/v1/admin/devices/{}/ecus/{}/auto_update/{}",
  ]),
  ...rows("director", "PATCH", "update.cancel", [
    "/api/v1/assignments",
    "/api/v1/assignments/{}",
    "/api/v1/updates/{}",
    "/api/v1/updates/devices/{}/{}",
  ]),
  ...rows("director", "PUT", "backend.administer", ["/api/v1/admin/devices/{}/targets.json"]),
  ...rows("director", "POST", "backend.administer", [
    "/api/v1/admin/repo",
    "/api/v1/admin/repo/offline-updates/{}",
    "/api/v1/admin/devices",
  ]),
  ...rows("director", "DELETE", "backend.administer", ["/api/v1/admin/repo/offline-updates/{}"]),

  ...rows("reposerver", "GET", "image.read", [
    "/api/v1/user_repo/root.json",
    "/api/v1/user_repo/targets.json",
    "/api/v1/user_repo/snapshot.json",
    "/api/v1/user_repo/timestamp.json",
    "/api/v1/user_repo/target_items",
    "/api/v1/user_repo/target_items/{+}",
    "/api/v1/user_repo/trusted-delegations/keys",
    "/api/v1/user_repo/trusted-delegations/info",
    "/api/v1/user_repo/trusted-delegations/{}/info",
    "/api/v1/user_repo/delegations/{}",
    "/api/v1/user_repo/delegations_items/{+}",
    "/api/v2/user_repo/grouped-search",
    "/api/v2/user_repo/packages/{+}",
    "/api/v2/user_repo/hardwareids-packages",
    "/api/v1/sboms",
    "/api/v1/sboms/{+}",
    "/api/v1/user_repo/comments",
    "/api/v1/user_repo/comments/{+}",
    "/api/v1/user_repo/targets/{+}",
    "/api/v1/user_repo/gatehouse/targets",
    "/api/v1/user_repo/gatehouse/targets/{}",
    "/api/v1/user_repo/{}",
  ]),
  {
    service: "reposerver",
    method: "PUT",
    path: "/api/v1/user_repo/targets/{+}",
    permission: "image.upload",
    upload: true,
  },
  ...rows("reposerver", "POST", "image.read", ["/api/v1/user_repo/list-target-comments", "/api/v2/user_repo/search"]),
  ...rows("reposerver", "POST", "image.upload", ["/api/v1/user_repo/targets/{+}"]),
  ...rows("reposerver", "PATCH", "image.upload", [
    "/api/v1/user_repo/targets/{+}",
    "/api/v1/user_repo/proprietary-custom/{+}",
  ]),
  ...rows("reposerver", "PUT", "image.upload", ["/api/v1/user_repo/comments/{+}", "/api/v1/sboms/{+}"]),
  ...rows("reposerver", "POST", "image.upload", ["/api/v1/user_repo/gatehouse/targets/{}/verify"]),
  ...rows("reposerver", "DELETE", "image.delete", ["/api/v1/user_repo/targets/{+}", "/api/v1/sboms/{+}"]),
  ...rows("reposerver", "PUT", "backend.administer", [
    "/api/v1/user_repo/trusted-delegations",
    "/api/v1/user_repo/trusted-delegations/keys",
    "/api/v1/user_repo/trusted-delegations/{}/remote",
    "/api/v1/user_repo/trusted-delegations/{}/remote/refresh",
    "/api/v1/user_repo/delegations/{}",
  ]),
  ...rows("reposerver", "PATCH", "backend.administer", ["/api/v1/user_repo/trusted-delegations/{}/info"]),
  ...rows("reposerver", "DELETE", "backend.administer", ["/api/v1/user_repo/trusted-delegations/{}"]),
  ...rows("reposerver", "POST", "backend.administer", ["/api/v1/user_repo"]),
];

export type ProxyMatch =
  | { kind: "row"; row: ProxyRow; parameters: readonly string[] }
  /** The address is known, with other methods. */
  | { kind: "other_methods"; allow: readonly ProxyMethod[] }
  | { kind: "none" };

/** @param segments of the path, each decoded once and free of `/`, so that a value cannot become more path than it was */
export function matchProxy(service: string, method: string, segments: readonly string[]): ProxyMatch {
  const matching = PROXY_TABLE.flatMap((row) => {
    const parameters = row.service === service ? matchPath(row.path, segments) : null;
    return parameters === null ? [] : [{ row, parameters }];
  });
  const found = matching.find(({ row }) => row.method === method);
  if (found !== undefined) return { kind: "row", ...found };
  const allow = [...new Set(matching.map(({ row }) => row.method))];
  return allow.length === 0 ? { kind: "none" } : { kind: "other_methods", allow };
}

function matchPath(pattern: string, segments: readonly string[]): string[] | null {
  const parts = pattern.split("/").slice(1);
  const rest = parts.at(-1) === "{+}";
  if (rest ? segments.length < parts.length : segments.length !== parts.length) return null;
  const parameters: string[] = [];
  for (const [index, part] of parts.entries()) {
    const segment = segments[index] ?? "";
    if (part === "{+}") parameters.push(segments.slice(index).join("/"));
    else if (part === "{}") parameters.push(segment);
    else if (part !== segment) return null;
  }
  return parameters;
}

function rows(
  service: ProxiedService,
  method: ProxyMethod,
  permission: Permission,
  paths: readonly string[],
): ProxyRow[] {
  return paths.map((path) => ({ service, method, path, permission }));
}

/** What has devices install images. */
function judged(given: readonly ProxyRow[]): ProxyRow[] {
  return given.map((row) => ({ ...row, also: "judge-images" }));
}

import { type ContractEndpoint, type Row, rowsToEndpoints } from "./endpoint.ts";

const DEVICES = "devices";
const CREATED = [DEVICES, "answers 201 with the bare id and its location, and the fleet shows it"] as const;
const CHANGED = [
  DEVICES,
  "renames in registry and fleet at once; PUT clears notes that are not given, PATCH keeps them",
] as const;
const LIFE = [
  "generations",
  "a device lives its whole life: provisioned, grouped, tagged, reported, hibernated, deleted",
] as const;
const LISTED_PACKAGE = [
  "packages",
  "takes, changes, shows and forgets an entry, and lists those that are installed",
] as const;
const COUNTED_PACKAGE = ["packages", "are counted over devices and their groups"] as const;
const ACTIVATED = ["search", "counts the devices that were activated from start up to end"] as const;
const SYSTEM_INFO = [
  "info",
  "is replaced by PUT, from both addresses, and refused by POST when there is some",
] as const;
const NETWORK = ["info", "is empty strings until the device sends it"] as const;
const GROUP = ["groups", "is made, shown, listed, renamed and deleted"] as const;
const MEMBERS = ["groups", "come and go one by one, each once"] as const;
const TAG_SET = ["tags", "is changed, with the smart groups that look at it; a new one is not added"] as const;
const STATISTICS = ["groups", "is membership, sizes and statistics, of one's own namespace only"] as const;

/** What both generations have, each below its own base. */
const BOTH: readonly Row[] = [
  ["POST", "/devices", "2", CREATED],
  ["PUT", "/devices", "2", [DEVICES, "makes the device once and replaces its credentials, keeping uuid and name"]],
  ["GET", "/devices", "2.1", ["search", "by %s finds %j"]],
  ["GET", "/devices", "2", ["search", "answers %s with an array of those devices"], "with JSON body"],
  [
    "GET",
    "/devices/stats",
    "2",
    ["search", "count devices and ECUs by result code, each ECU by its latest result only"],
  ],
  ["GET", "/devices/:uuid", "2", CREATED],
  ["PUT", "/devices/:uuid", "2", CHANGED],
  ["PATCH", "/devices/:uuid", "2", CHANGED],
  [
    "DELETE",
    "/devices/:uuid",
    "2",
    [DEVICES, "answers 202 and forgets it everywhere in one transaction, but keeps its reports"],
  ],
  ["POST", "/devices/:uuid/hibernation", "2", ["search", "counts the fleet's states as [B]"]],
  ["GET", "/devices/:uuid/groups", "2", MEMBERS],
  ["GET", "/devices/:uuid/packages", "2", ["info", "are replaced as a whole; what stays keeps its time"]],
  ["GET", "/devices/:uuid/active_device_count", "2", ACTIVATED],
  ["GET", "/devices/:uuid/device_count/:name/:version", "2", COUNTED_PACKAGE],
  [
    "GET",
    "/devices/:uuid/installation_reports",
    "2",
    ["updates", "have the contract's shape, and a later one for the same pair takes the place of a failed one"],
  ],
  [
    "GET",
    "/devices/:uuid/installation_history",
    "2",
    ["updates", "stand in one history with ECU replacements, latest first, page by page"],
  ],
  ["GET", "/devices/:uuid/device_tags", "2", TAG_SET],
  ["PATCH", "/devices/:uuid/device_tags", "2", TAG_SET],
  [
    "GET",
    "/devices/:uuid/public_credentials",
    "2",
    [DEVICES, "makes the device once and replaces its credentials, keeping uuid and name"],
  ],
  ["POST", "/devices/:uuid/monitoring", "2", ["packages", "takes any object with its time, and refuses one without"]],
  [
    "POST",
    "/devices/:uuid/events",
    "3",
    ["events", "keeps events once, whatever how often they are sent, and overwrites by id"],
  ],
  [
    "GET",
    "/devices/:uuid/events",
    "3",
    ["events", "finds indexed events by their correlation id, latest device time first, and filters by type"],
  ],
  [
    "GET",
    "/devices/:uuid/system_info",
    "4",
    ["info", "numbers every object, children before their parents, and keeps all else"],
  ],
  ["POST", "/devices/:uuid/system_info", "4", SYSTEM_INFO],
  ["PUT", "/devices/:uuid/system_info", "4", SYSTEM_INFO],
  ["PUT", "/mydevice/:uuid/system_info", "4", SYSTEM_INFO],
  ["GET", "/devices/:uuid/system_info/network", "4", NETWORK],
  ["PUT", "/devices/:uuid/system_info/network", "4", NETWORK],
  ["POST", "/devices/:uuid/system_info/config", "4", ["info", "is taken and stored nowhere"]],
  ["GET", "/device_groups", "5", ["groups", "is listed by name, or newest first, and found by a part of its name"]],
  ["POST", "/device_groups", "5", ["groups", "are computed when it is made, and for each device that comes"]],
  [
    "POST",
    "/device_groups",
    "5",
    ["groups", "may be given as a file of device ids, of which unknown ones are skipped"],
    "multipart",
  ],
  ["GET", "/device_groups/:groupId", "5", GROUP],
  ["DELETE", "/device_groups/:groupId", "5", GROUP],
  ["PUT", "/device_groups/:groupId/rename", "5", GROUP],
  ["GET", "/device_groups/:groupId/count", "5", MEMBERS],
  ["GET", "/device_groups/:groupId/devices", "5", MEMBERS],
  ["POST", "/device_groups/:groupId/devices/:uuid", "5", MEMBERS],
  ["DELETE", "/device_groups/:groupId/devices/:uuid", "5", MEMBERS],
  ["POST", "/device_groups/:groupId/hibernation", "5", ["groups", "hibernate together, and nobody else does"]],
  ["GET", "/device_tags", "6", ["tags", "is refused while a smart group rests on it alone, and the list says so"]],
  [
    "POST",
    "/device_tags",
    "6",
    ["tags", "replaces all tags of each listed device, skips unknown ones and leaves the others alone"],
  ],
  [
    "PUT",
    "/device_tags/:tagId",
    "6",
    ["tags", "renames it on devices and in expressions, and finds members for who looked for the new name"],
  ],
  [
    "DELETE",
    "/device_tags/:tagId",
    "6",
    ["tags", "takes it off devices and out of expressions, and computes those groups anew"],
  ],
  ["PUT", "/mydevice/:uuid/packages", "7", ["info", "are replaced as a whole; what stays keeps its time"]],
  ["GET", "/mydevice/:uuid", "7", LIFE],
  ["GET", "/device_packages", "7", ["info", "are counted over the namespace"]],
  ["GET", "/device_packages/:name", "7", ["info", "are counted over the namespace"]],
  ["POST", "/device_packages/affected", "7", ["packages", "tell which devices are affected, of this namespace only"]],
  ["GET", "/device_count/:name/:version", "7", COUNTED_PACKAGE],
  ["GET", "/active_device_count", "7", ACTIVATED],
  ["GET", "/package_lists", "7.1", LISTED_PACKAGE],
  ["POST", "/package_lists", "7.1", LISTED_PACKAGE],
  ["PUT", "/package_lists", "7.1", LISTED_PACKAGE],
  ["GET", "/package_lists/:name/:version", "7.1", LISTED_PACKAGE],
  ["DELETE", "/package_lists/:name/:version", "7.1", LISTED_PACKAGE],
];

const ONLY_B: readonly Row[] = [
  ["GET", "/devices/dynamic-group-count", "2", ["search", "counts an expression as [A] and as [B]"]],
  ["GET", "/devices/count", "2", ["search", "counts the fleet's states as [B]"]],
  [
    "POST",
    "/devices/:uuid/monitoring/fluentbit-metrics",
    "2",
    ["packages", "of fluentbit says with 416 which of many it did not take"],
  ],
  [
    "POST",
    "/devices/list-network-info",
    "4",
    ["packages", "has null for what is not known, and lists devices in the order asked, others' as unknown"],
  ],
  ["GET", "/device_groups/membership", "5", STATISTICS],
  ["GET", "/device_groups/count", "5", STATISTICS],
  ["GET", "/device_groups/:groupId/device-stats", "5", STATISTICS],
];

const ONLY_A: readonly Row[] = [
  ["GET", "/devices/count", "2", ["search", "counts an expression as [A] and as [B]"], "[A]"],
];

const ONLY_A2: readonly Row[] = [
  [
    "GET",
    "/devices/:uuid/events",
    "3",
    ["events", "finds indexed events by their correlation id, latest device time first, and filters by type"],
    "[A]",
  ],
];

export const DEVICE_REGISTRY_ENDPOINTS: readonly ContractEndpoint[] = [
  ...below("/api/v1", [...BOTH, ...ONLY_A]),
  ...below("/api/v2", ONLY_A2),
  ...below("/device-registry/api/v1", [...BOTH, ...ONLY_B]),
];

function below(base: string, rows: readonly Row[]): readonly ContractEndpoint[] {
  return rowsToEndpoints({ base, contract: "device-registry.md", tests: "services/device-registry/tests" }, rows);
}

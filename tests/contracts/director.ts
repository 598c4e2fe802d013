import { type ContractEndpoint, type Row, rowsToEndpoints } from "./endpoint.ts";

const REPO = ["registration", "answers 403 in plain text until one is made, and makes one once"] as const;
const ROOTS = [
  "metadata",
  "is there in every version for ever; the next is 404 to a device and 424 to the admin API",
] as const;
const KEYS = ["roles", "are handed out and taken offline by id; a root without its key can't be rotated"] as const;
const OFFLINE = [
  "roles",
  "are signed by a key of their own, version after version, with a snapshot over all of them",
] as const;
const OFFLINE_GONE = ["roles", "are gone once deleted, and go on with the next version when they come back"] as const;
const REMOTE = [
  "roles",
  "are one signed role with remote commands, each kept when the other changes, without nulls",
] as const;
const REMOTE_PUSHED = ["roles", "may be signed elsewhere, as the next version and by the role's key"] as const;
const DEFINITION = ["auto-updates", "is added once, listed and removed, for an ECU that is there"] as const;
const LEGACY = ["assignments", "goes through the legacy address too, and says 4xx when nothing is affected"] as const;
const ASKED = [
  "assignments",
  "answers 200 for no devices, a plain array for a dry run that creates nothing, and 404 without the update",
] as const;
const ASSIGNED = ["assignments", "affects each ECU of matching hardware once, and is told by the queue"] as const;
const NOT_FORCED = ["cancel", "is left alone without the force header, as the contract has it"] as const;
const BELONGS = ["updates", "is not taken back as an assignment"] as const;
const SERVED = [
  "metadata",
  "is a snapshot over root and targets and a timestamp over the snapshot, all of one moment",
] as const;
const LIFE = ["updates", "goes from assigned over seen to completed, with what the device said"] as const;
const MANY = ["updates", "is one update, cancelled for all or for none"] as const;

const ROWS: readonly Row[] = [
  ["POST", "/admin/repo", "1", REPO],
  ["GET", "/admin/repo/root.json", "1", ROOTS],
  ["GET", "/admin/repo/:version.root.json", "1", ROOTS],
  ["POST", "/admin/repo/root", "1", ["roles", "may be replaced by a root that was signed elsewhere, and by no other"]],
  ["GET", "/admin/repo/private_keys/:keyId", "1", KEYS],
  ["DELETE", "/admin/repo/private_keys/:keyId", "1", KEYS],
  ["POST", "/admin/repo/offline-updates/:name", "1", OFFLINE],
  ["DELETE", "/admin/repo/offline-updates/:name", "1", OFFLINE_GONE, "[B]"],
  ["GET", "/admin/repo/offline-updates/:name.json", "1", OFFLINE],
  ["GET", "/admin/repo/offline-updates/:version.:name.json", "1", OFFLINE],
  ["GET", "/admin/repo/offline-snapshot.json", "1", OFFLINE_GONE],
  ["GET", "/admin/repo/:version.offline-snapshot.json", "1", OFFLINE],
  ["POST", "/admin/remote-sessions", "1", REMOTE, "[B]"],
  ["POST", "/admin/remote-commands", "1", REMOTE, "[B]"],
  ["GET", "/admin/remote-sessions.json", "1", REMOTE_PUSHED, "[B]"],
  ["POST", "/admin/remote-sessions.json", "1", REMOTE_PUSHED, "[B]"],

  ["POST", "/admin/devices", "2", ["registration", "registers through the admin API too, which needs the device's id"]],
  ["GET", "/admin/devices", "2", ["admin", "list registered devices, oldest first, page by page"]],
  ["GET", "/admin/devices", "2", ["admin", "find devices by their primary's hardware"], "primaryHardwareId"],
  ["GET", "/admin/devices/hardware_identifiers", "2", ["admin", "list hardware ids, each once"]],
  ["GET", "/admin/devices/ecus", "2", ["admin", "list devices with all their ECUs, page by page"], "[B]"],
  [
    "POST",
    "/admin/devices/list-installed-targets",
    "2",
    ["admin", "list installed targets with an entry for every id asked for"],
  ],
  ["GET", "/admin/devices/:id", "2", ["admin", "show what ECUs run, once they have said so"]],
  [
    "PUT",
    "/admin/devices/:id/targets.json",
    "2",
    ["admin", "tell the state of a device, and answer 404 for one of another namespace"],
  ],
  ["GET", "/admin/devices/:id/ecus/:ecu/public_key", "2", ["admin", "give an ECU's public key as it was registered"]],
  ["GET", "/admin/devices/:id/ecus/:ecu/auto_update", "2", DEFINITION],
  ["PUT", "/admin/devices/:id/ecus/:ecu/auto_update/:targetName", "2", DEFINITION],
  ["DELETE", "/admin/devices/:id/ecus/:ecu/auto_update/:targetName", "2", DEFINITION],
  ["PUT", "/admin/devices/:id/multi_target_update/:mtuId", "2", LEGACY],
  [
    "POST",
    "/admin/images/installed_count",
    "2",
    ["admin", "count ECUs an image is installed on, leaving out what none runs"],
  ],

  [
    "POST",
    "/multi_target_updates",
    "3.1",
    ["assignments", "is refused when it names nothing, or one file with two contents"],
  ],
  [
    "GET",
    "/multi_target_updates/:id",
    "3.1",
    ["assignments", "is stored and given back as a bare map with every optional field"],
  ],
  ["POST", "/assignments", "3.2", ASSIGNED],
  ["POST", "/assignments", "3.2", ASKED, "dryRun"],
  [
    "POST",
    "/assignments",
    "3.2",
    ["assignments", "answers in the older form, a plain list, to who asks for it"],
    "plain list [A]",
  ],
  ["GET", "/assignments/devices", "3.2", ASKED, "targetSpecId, mtuId [A]"],
  ["GET", "/assignments/:device", "3.2", ASSIGNED],
  ["GET", "/assignments", "3.2", ["assignments", "is told by queues of the first fifty devices that are asked for"]],
  ["PATCH", "/assignments", "3.2", NOT_FORCED],
  ["PATCH", "/assignments", "3.2", BELONGS, "[B]"],
  ["DELETE", "/assignments/:device", "3.2", BELONGS],
  ["PATCH", "/assignments/:device", "3.2", NOT_FORCED],

  [
    "POST",
    "/device/:id/ecus",
    "4.1",
    ["registration", "answers 201 first, 200 to the identical list, and keeps one set"],
  ],
  [
    "GET",
    "/device/:id/root.json",
    "4.2",
    ["metadata", "is the device's sign of life, also when the version it asks for is missing"],
  ],
  ["GET", "/device/:id/:version.root.json", "4.2", ROOTS],
  ["GET", "/device/:id/targets.json", "4.2", SERVED],
  ["GET", "/device/:id/snapshot.json", "4.2", SERVED],
  ["GET", "/device/:id/timestamp.json", "4.2", SERVED],
  ["GET", "/device/:id/offline-updates/:name.json", "4.2", OFFLINE],
  ["GET", "/device/:id/offline-snapshot.json", "4.2", OFFLINE],
  ["GET", "/device/:id/remote-sessions.json", "4.2", REMOTE, "[B]"],
  ["PUT", "/device/:id/manifest", "4.3", ["processing", "the table of manifest processing, over the wire"]],

  ["GET", "/updates", "7", MANY, "[B]"],
  ["PATCH", "/updates/:id", "7", MANY, "[B]"],
  [
    "GET",
    "/updates/devices/:device",
    "7",
    ["updates", "is completed without success by a failure, and the device may be updated again"],
    "[B]",
  ],
  ["POST", "/updates/devices/:device", "7", LIFE, "[B]"],
  [
    "POST",
    "/updates/devices/:device",
    "7",
    ["updates", "starts when the time has come, once, whatever the number of workers"],
    "[B] scheduledFor",
  ],
  ["POST", "/updates/devices", "7", MANY, "[B]"],
  ["GET", "/updates/devices/:device/:id", "7", LIFE, "[B]"],
  [
    "PATCH",
    "/updates/devices/:device/:id",
    "7",
    ["updates", "is cancelled before it was fetched, and after that by force alone"],
    "[B]",
  ],
  ["GET", "/updates/devices/:device/:id/events", "7", ["updates", "shows the device's events of it"], "[B]"],
];

export const DIRECTOR_ENDPOINTS: readonly ContractEndpoint[] = [
  ...rowsToEndpoints({ base: "/api/v1", contract: "director.md", tests: "services/director/tests" }, ROWS),
  {
    method: "GET",
    path: "/api/v1/updates/:id/devices",
    form: "[B]",
    contract: "director.md 7",
    absent: "The original declares it and never answers it; nothing can depend on it.",
  },
];

import { type Clause, CONTRACT_FILES, covers, readClauses } from "./clauses.ts";
import { DEVICE_REGISTRY_ENDPOINTS } from "./device-registry.ts";
import { DIRECTOR_ENDPOINTS } from "./director.ts";
import { DOOR_ENDPOINTS } from "./doors.ts";
import type { ContractEndpoint } from "./endpoint.ts";
import { KEYSERVER_ENDPOINTS } from "./keyserver.ts";
import { MENDER_ENDPOINTS } from "./mender.ts";
import { REPOSERVER_ROLES_ENDPOINTS } from "./reposerver-roles.ts";
import { REPOSERVER_TARGETS_ENDPOINTS } from "./reposerver-targets.ts";
import { TOOLS_DOOR_ENDPOINTS } from "./tools-door.ts";
import { TREEHUB_ENDPOINTS } from "./treehub.ts";

const UPDATES_REPLACE_IT =
  "Updates (phases, previews, evidence per device) replace campaigns; they drive any director through its assignments.";

/** The campaigner as a whole is left out: one reason for every endpoint its contract names. */
const CAMPAIGNER_ENDPOINTS: readonly ContractEndpoint[] = readClauses("campaigner.md").map((clause) => ({
  method: clause.method,
  path: `/api/v2${clause.path}`,
  contract: `campaigner.md line ${clause.line}`,
  absent: UPDATES_REPLACE_IT,
}));

/** What is served by the embedded services. */
export const SERVICE_ENDPOINTS: readonly ContractEndpoint[] = [
  ...DEVICE_REGISTRY_ENDPOINTS,
  ...DIRECTOR_ENDPOINTS,
  ...REPOSERVER_ROLES_ENDPOINTS,
  ...REPOSERVER_TARGETS_ENDPOINTS,
  ...KEYSERVER_ENDPOINTS,
  ...TREEHUB_ENDPOINTS,
  ...CAMPAIGNER_ENDPOINTS,
];

export const ALL_ENDPOINTS: readonly ContractEndpoint[] = [
  ...SERVICE_ENDPOINTS,
  ...DOOR_ENDPOINTS,
  ...TOOLS_DOOR_ENDPOINTS,
  ...MENDER_ENDPOINTS,
];

/** What the contract files name and no table lists. */
export function missingClauses(): Clause[] {
  return CONTRACT_FILES.flatMap(readClauses).filter(
    (clause) => !SERVICE_ENDPOINTS.some((endpoint) => covers(endpoint, clause)),
  );
}

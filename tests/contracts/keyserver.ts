import type { ContractEndpoint } from "./endpoint.ts";

const BASE = "/api/v1/root/:repoId";
const IN_PROCESS = "The embedded services ask the keyserver in process; it has no address over HTTP.";
const ROUTES: readonly [ContractEndpoint["method"], string][] = [
  ["POST", ""],
  ["PUT", ""],
  ["GET", ""],
  ["GET", "/:version"],
  ["PUT", "/rotate"],
  ["POST", "/:roletype"],
  ["GET", "/unsigned"],
  ["POST", "/unsigned"],
  ["DELETE", "/private_keys/:keyId"],
  ["GET", "/keys/:keyId"],
  ["GET", "/keys/targets/pairs"],
  ["HEAD", "/keys/targets/pairs"],
  ["PUT", "/roles/offline-updates"],
  ["PUT", "/roles/remote-sessions"],
];

export const KEYSERVER_ENDPOINTS: readonly ContractEndpoint[] = ROUTES.map(([method, path]) => ({
  method,
  path: `${BASE}${path}`,
  contract: "reposerver-keyserver.md section 7",
  absent: IN_PROCESS,
}));

import type { ContractEndpoint } from "./endpoint.ts";

type Method = ContractEndpoint["method"];

const DOOR = "gateway/tests/mender-door.test.ts";
const PREAUTHORIZE = "services/mender/tests/preauthorize.test.ts";
const FLEET = "services/mender/tests/fleet.test.ts";
const CONTRACT = "gateway/tests/mender-contract.test.ts";
const CLIENT = "tests/system/mender.test.ts";
const UPDATE = "and it installs an update that it fetches through the door";

function shown(
  method: Method,
  path: string,
  at: { form: string; contract: string; test: [string, string] },
): ContractEndpoint {
  const [file, title] = at.test;
  return { method, path, form: at.form, contract: `mender.md ${at.contract}`, test: { file, title } };
}

/** What devices reach of the server through the Mender door. */
const served = (method: Method, path: string, contract: string, test: [string, string]) =>
  shown(method, path, { form: "Mender door", contract, test });

/** What we call of its management API. */
const called = (method: Method, path: string, contract: string, test: [string, string]) =>
  shown(method, path, { form: "called", contract, test });

const EACH_CALL = "reaches the server with its exact path and body";
const ONE_TO_ONE = "passes one to one: statuses, bodies, ranges, encodings, and the two ways in which a token ends";

export const MENDER_ENDPOINTS: readonly ContractEndpoint[] = [
  served("POST", "/api/devices/v1/authentication/auth_requests", "2, 5.2", [
    DOOR,
    "is preauthorized with the certificate's key, passed on byte for byte, and its answer is the device's",
  ]),
  served("PUT", "/api/devices/v1/inventory/device/attributes", "3", [DOOR, ONE_TO_ONE]),
  served("PATCH", "/api/devices/v1/inventory/device/attributes", "3", [CONTRACT, EACH_CALL]),
  served("POST", "/api/devices/v2/deployments/device/deployments/next", "3", [CLIENT, UPDATE]),
  served("POST", "/api/devices/v1/deployments/device/deployments/next", "3", [CLIENT, UPDATE]),
  served("GET", "/api/devices/v1/deployments/device/deployments/next", "3", [CONTRACT, EACH_CALL]),
  served("PUT", "/api/devices/v1/deployments/device/deployments/:id/status", "3", [CLIENT, UPDATE]),
  served("PUT", "/api/devices/v1/deployments/device/deployments/:id/log", "3", [CONTRACT, EACH_CALL]),
  served("GET", "/api/devices/v2/deployments/device/deployments/:id/update_control_map", "3", [CONTRACT, EACH_CALL]),
  served("GET", "/api/devices/v1/deviceconfig/configuration", "3", [CONTRACT, EACH_CALL]),
  served("PUT", "/api/devices/v1/deviceconfig/configuration", "3", [CONTRACT, EACH_CALL]),
  served("GET", "/api/devices/v1/deployments/download/configuration/:deployment/:type/:device", "3", [
    CONTRACT,
    "for a signed download needs no token, and the server judges its signature",
  ]),
  served("GET", "/api/devices/v1/deployments/download/*", "3", [DOOR, ONE_TO_ONE]),
  served("GET", "/api/devices/v1/deviceconnect/connect", "3", [
    "gateway/tests/mender-upgrade.test.ts",
    "joins the device with the server, and a revocation cuts both ends",
  ]),
  called("POST", "/api/management/v1/useradm/auth/login", "1.1", [
    "services/mender/tests/token.test.ts",
    "is one for all replicas, however many calls begin at once",
  ]),
  called("POST", "/api/management/v2/devauth/devices", "4.1", [
    PREAUTHORIZE,
    "makes an unknown identity known, so that its first request is let in",
  ]),
  called("POST", "/api/management/v2/devauth/devices", "4.1 (force)", [
    PREAUTHORIZE,
    "is forced for the device that came with the identity before",
  ]),
  called("GET", "/api/management/v2/devauth/devices/:id", "4.1", [PREAUTHORIZE, "even with MENDER_FORCE on"]),
  called("GET", "/api/management/v2/devauth/devices", "4.1", [
    FLEET,
    "reads page by page, one worker at a time, and forgets only what the server says is gone",
  ]),
  called("POST", "/api/management/v2/devauth/devices/search", "4.1", [
    FLEET,
    "reads page by page, one worker at a time, and forgets only what the server says is gone",
  ]),
  called("PUT", "/api/management/v2/devauth/devices/:id/auth/:aid/status", "4.1, 5.4", [
    FLEET,
    "is carried over: the key is rejected at the server, once, and the device keeps its place there",
  ]),
  ...absent("4.1, 5.4", "What it does is undone by the device's next request; a revocation rejects the key instead.", [
    ["DELETE", "/api/management/v2/devauth/devices/:id"],
    ["DELETE", "/api/management/v2/devauth/devices/:id/auth/:aid"],
    ["DELETE", "/api/management/v2/devauth/tokens/:jti"],
  ]),
  ...absent("4.1", "The device itself is read, which says as much and its keys, too.", [
    ["GET", "/api/management/v2/devauth/devices/:id/auth/:aid/status"],
    ["GET", "/api/management/v2/devauth/devices/count"],
    ["GET", "/api/management/v2/devauth/limits/max_devices"],
  ]),
  ...absent("1", "One token is shared by all processes and outlives each; a person makes personal access tokens.", [
    ["POST", "/api/management/v1/useradm/auth/logout"],
    ["POST", "/api/management/v1/useradm/settings/tokens"],
  ]),
  ...absent("4.2", "The fleet index shows states; what Mender's inventory holds is looked at in Mender.", [
    ["POST", "/api/management/v2/inventory/filters/search"],
    ["GET", "/api/management/v2/inventory/filters/attributes"],
    ["GET", "/api/management/v1/inventory/devices"],
    ["GET", "/api/management/v1/inventory/groups"],
  ]),
  ...absent("4.3", "Deployments are made in Mender; the door carries what devices ask about them.", [
    ["GET", "/api/management/v2/deployments/deployments"],
    ["POST", "/api/management/v1/deployments/deployments"],
    ["POST", "/api/management/v1/deployments/artifacts"],
    ["GET", "/api/management/v2/deployments/artifacts"],
  ]),
];

function absent(
  contract: string,
  reason: string,
  endpoints: readonly (readonly [method: Method, path: string])[],
): ContractEndpoint[] {
  return endpoints.map(([method, path]) => ({ method, path, contract: `mender.md ${contract}`, absent: reason }));
}

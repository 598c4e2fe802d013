import type { ContractEndpoint } from "./endpoint.ts";

const BASE = "/api/v1/root/:repoId";
const MADE = "is there at once, once, and waits for nothing";
const PUSHED = "is replaced by one that its keys signed elsewhere, and by no other, with every reason named";
const KEYS =
  "are handed out as pairs until one is deleted; then nothing signs with them and nothing says they are there";
const ROLES = "gets the keys of offline updates and of remote sessions once each";
const ROUTES: readonly [ContractEndpoint["method"], string, string][] = [
  ["POST", "", MADE],
  ["PUT", "", MADE],
  ["GET", "", "does not end before the instant that was asked for, then or later"],
  ["GET", "/:version", "of a version that never was is 404"],
  ["PUT", "/rotate", "of the image repository or the director's is replaced where its documents are"],
  ["POST", "/:roletype", "sign what is as long as devices accept, and nothing longer or other than an object"],
  ["GET", "/unsigned", PUSHED],
  ["POST", "/unsigned", PUSHED],
  ["DELETE", "/private_keys/:keyId", KEYS],
  ["GET", "/keys/:keyId", KEYS],
  ["GET", "/keys/targets/pairs", KEYS],
  ["HEAD", "/keys/targets/pairs", KEYS],
  ["PUT", "/roles/offline-updates", ROLES],
  ["PUT", "/roles/remote-sessions", ROLES],
];

export const KEYSERVER_ENDPOINTS: readonly ContractEndpoint[] = ROUTES.map(([method, path, title]) => ({
  method,
  path: `${BASE}${path}`,
  contract: "reposerver-keyserver.md section 7",
  test: { file: "services/keyserver/tests/routes.test.ts", title },
}));

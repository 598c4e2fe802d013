import type { ContractEndpoint } from "./endpoint.ts";

const BASE = "/api/v1/user_repo";
const FILE = "services/image-repo/tests/metadata.test.ts";
const SERVED = "is served as the bytes that were signed, with their digest as role checksum and the repository's id";
const MISSING = "Roots and keys can't be replaced over HTTP here, nor can targets be signed elsewhere.";

const shown = (method: ContractEndpoint["method"], path: string, title: string): ContractEndpoint => ({
  method,
  path: `${BASE}${path}`,
  contract: "reposerver-keyserver.md section 1 and 2",
  test: { file: FILE, title },
});
const absent = (method: ContractEndpoint["method"], path: string): ContractEndpoint => ({
  method,
  path,
  contract: "reposerver-keyserver.md section 1 and 2",
  absent: MISSING,
});

export const REPOSERVER_ROLES_ENDPOINTS: readonly ContractEndpoint[] = [
  shown("POST", "", "of the default namespace is made when first needed; another's by POST, once"),
  shown("GET", "/root.json", SERVED),
  shown("GET", "/:version.root.json", "stays for ever, and the next one is 404 root_role_not_found"),
  shown("GET", "/targets.json", SERVED),
  shown("GET", "/snapshot.json", SERVED),
  shown("GET", "/timestamp.json", SERVED),
  absent("POST", "/api/v1/repo/:repoId"),
  absent("GET", `${BASE}/root`),
  absent("POST", `${BASE}/root`),
  absent("PUT", `${BASE}/root/rotate`),
  absent("GET", `${BASE}/root/private_keys/:keyId`),
  absent("DELETE", `${BASE}/root/private_keys/:keyId`),
  absent("PUT", `${BASE}/targets`),
  absent("PUT", `${BASE}/targets/expire/not-before`),
];

import type { ContractEndpoint } from "./endpoint.ts";

const BASE = "/api/v1/user_repo";
const FILE = "services/image-repo/tests/metadata.test.ts";
const ROOTS = "services/image-repo/tests/roots.test.ts";
const HANDED_OUT = "is handed out unsigned as the next one, and taken back signed; the list of images stays";
const PRIVATE_KEYS = "keeps its private keys until they are deleted, for good";
const SIGNED = "is served as signed, with a snapshot and timestamp that end with it, and makes the images";
const SERVED = "is served as the bytes that were signed, with their digest as role checksum and the repository's id";

const shown = (
  method: ContractEndpoint["method"],
  path: string,
  title: string,
  file: string = FILE,
): ContractEndpoint => ({
  method,
  path: `${BASE}${path}`,
  contract: "reposerver-keyserver.md section 1 and 2",
  test: { file, title },
});

export const REPOSERVER_ROLES_ENDPOINTS: readonly ContractEndpoint[] = [
  shown("POST", "", "of the default namespace is made when first needed; another's by POST, once"),
  shown("GET", "/root.json", SERVED),
  shown("GET", "/:version.root.json", "stays for ever, and the next one is 404 root_role_not_found"),
  shown("GET", "/targets.json", SERVED),
  shown("GET", "/snapshot.json", SERVED),
  shown("GET", "/timestamp.json", SERVED),
  {
    method: "POST",
    path: "/api/v1/repo/:repoId",
    contract: "reposerver-keyserver.md section 1",
    test: {
      file: "services/image-repo/tests/addresses.test.ts",
      title: "has the id that was asked for, once in all namespaces",
    },
  },
  shown("GET", "/root", HANDED_OUT, ROOTS),
  shown("POST", "/root", HANDED_OUT, ROOTS),
  shown("PUT", "/root/rotate", "is rotated with all that its keys sign, along a chain that devices follow", ROOTS),
  shown("GET", "/root/private_keys/:keyId", PRIVATE_KEYS, ROOTS),
  shown("DELETE", "/root/private_keys/:keyId", PRIVATE_KEYS, ROOTS),
  shown("PUT", "/targets", SIGNED, "services/image-repo/tests/signed-targets.test.ts"),
  shown(
    "PUT",
    "/targets/expire/not-before",
    "holds for the root at once and for each role from the next reading on",
    ROOTS,
  ),
];

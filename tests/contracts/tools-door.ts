import type { ContractEndpoint } from "./endpoint.ts";

type Method = ContractEndpoint["method"];

/** A row of the table in which the tools door's paths are tested, with the scope that opens each. */
function mapped(method: Method, path: string, contract: string): ContractEndpoint {
  return {
    method,
    path,
    form: "tools door",
    contract,
    test: { file: "gateway/tools-path-map.test.ts", title: "what build tools send goes where the contract says" },
  };
}

export const TOOLS_DOOR_ENDPOINTS: readonly ContractEndpoint[] = [
  {
    method: "POST",
    path: "/token",
    form: "tools door",
    contract: "gateway.md 6, aktualizr-client.md 10",
    test: {
      file: "gateway/tests/tools-door.test.ts",
      title: "gives a token for Basic credentials and a scope with raw blanks, as garage-push sends it",
    },
  },
  mapped("HEAD", "/treehub/api/v3/objects/*", "treehub.md 1"),
  mapped("GET", "/treehub/api/v3/objects/*", "treehub.md 1"),
  mapped("POST", "/treehub/api/v3/objects/*", "treehub.md 1"),
  mapped("GET", "/treehub/api/v3/config", "treehub.md 1"),
  mapped("GET", "/treehub/api/v3/refs/*", "treehub.md 1"),
  mapped("POST", "/treehub/api/v3/refs/*", "treehub.md 1"),
  mapped("PUT", "/treehub/api/v3/manifests/:commit", "treehub.md 1"),
  mapped("POST", "/treehub/api/v3/deltas/*", "treehub.md 1"),
  mapped("GET", "/repo/api/v1/user_repo/root.json", "reposerver-keyserver.md 8.1"),
  mapped("POST", "/repo/api/v1/user_repo/root", "reposerver-keyserver.md 8.1"),
  mapped("GET", "/repo/api/v1/user_repo/targets.json", "reposerver-keyserver.md 8.1"),
  mapped("PUT", "/repo/api/v1/user_repo/targets", "reposerver-keyserver.md 8.1"),
  mapped("PUT", "/repo/api/v1/user_repo/delegations/:name.json", "reposerver-keyserver.md 8.1"),
  mapped("POST", "/repo/api/v1/user_repo/multipart/initiate/*", "reposerver-keyserver.md 3.3"),
  mapped("GET", "/repo/api/v1/user_repo/root/private_keys/:keyId", "reposerver-keyserver.md 8.1"),
  mapped("DELETE", "/repo/api/v1/user_repo/root/private_keys/:keyId", "reposerver-keyserver.md 8.1"),
  mapped("POST", "/api/v1/director/admin/repo/root", "reposerver-keyserver.md 8.1"),
  mapped("DELETE", "/director/api/v1/admin/repo/private_keys/:keyId", "reposerver-keyserver.md 8.1"),
  {
    method: "GET",
    path: "/authorize/tools",
    form: "decision port",
    contract: "gateway.md 6",
    test: {
      file: "gateway/tests/decision-port.test.ts",
      title: "hears who it is and where it goes, for Basic, a token and a certificate",
    },
  },
];

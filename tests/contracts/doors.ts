import type { ContractEndpoint } from "./endpoint.ts";

type Method = ContractEndpoint["method"];

/** A row of the table in which the device door's paths are tested. */
function mapped(method: Method, path: string): ContractEndpoint {
  return {
    method,
    path,
    form: "device door",
    contract: "gateway.md 2",
    test: { file: "gateway/path-map.test.ts", title: `["${method}", "${path}", ` },
  };
}

const EST = "/.well-known/est";

function est(
  method: Method,
  operation: string,
  of: { clause: string; title: string; file?: string },
): ContractEndpoint {
  return {
    method,
    path: `${EST}/${operation}`,
    form: "device door",
    contract: `RFC 7030 ${of.clause}`,
    test: { file: of.file ?? "gateway/tests/est.test.ts", title: of.title },
  };
}

export const DOOR_ENDPOINTS: readonly ContractEndpoint[] = [
  mapped("POST", "/director/ecus"),
  mapped("PUT", "/director/manifest"),
  mapped("GET", "/director/1.root.json"),
  mapped("GET", "/director/root.json"),
  mapped("GET", "/director/targets.json"),
  mapped("GET", "/repo/12.root.json"),
  mapped("GET", "/repo/timestamp.json"),
  mapped("GET", "/repo/snapshot.json"),
  mapped("GET", "/repo/targets.json"),
  mapped("GET", "/repo/delegations/role.json"),
  mapped("GET", "/repo/targets/fw_1.0"),
  mapped("GET", "/treehub/config"),
  mapped("GET", "/treehub/refs/heads/main/arm"),
  mapped("PUT", "/core/installed"),
  mapped("PUT", "/core/system_info"),
  mapped("PUT", "/system_info"),
  mapped("PUT", "/system_info/network"),
  mapped("POST", "/system_info/config"),
  mapped("POST", "/events"),
  {
    method: "GET",
    path: "/campaigner/campaigns",
    form: "device door",
    contract: "gateway.md 2",
    test: { file: "gateway/path-map.test.ts", title: "answers the campaigner's list by itself" },
  },
  {
    method: "POST",
    path: "/devices",
    form: "device door",
    contract: "gateway.md 4, aktualizr-client.md 2b",
    test: {
      file: "gateway/tests/provisioning.test.ts",
      title: "gives curl with the archive's own files credentials that the door lets in at once",
    },
  },
  {
    method: "GET",
    path: "/authorize/devices",
    form: "decision port",
    contract: "gateway.md 1",
    test: {
      file: "gateway/tests/nginx-devices.test.ts",
      title: "shows a device to the director as the device door does, with its body, over TLS 1.2 and 1.3",
    },
  },
  est("GET", "cacerts", {
    clause: "4.1",
    title: "cacerts gives the authority that signs devices and the one of the door, by name too",
  }),
  est("POST", "simpleenroll", {
    clause: "4.2.1",
    title: "gives a device that the door lets in, under the name it gave, with a subject that is ours",
  }),
  est("POST", "simplereenroll", {
    clause: "4.2.2",
    file: "gateway/tests/est-renewal.test.ts",
    title: "gives the same device a certificate for a new key, which ends the old one after its grace",
  }),
  est("GET", "csrattrs", { clause: "4.5", title: "csrattrs asks for P-256 and SHA-256" }),
  {
    method: "POST",
    path: `${EST}/serverkeygen`,
    form: "device door",
    contract: "RFC 7030 4.4",
    absent: "Optional. A private key is made where it is used, and travels nowhere.",
  },
  {
    method: "POST",
    path: `${EST}/fullcmc`,
    form: "device door",
    contract: "RFC 7030 4.3",
    absent: "Optional. No client of devices is known that needs it.",
  },
];

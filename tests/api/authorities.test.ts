import { afterAll, beforeAll, expect, it } from "vitest";
import { Authority, ProofOrder } from "#lib/contracts/console/authorities.ts";
import { pageOf } from "#lib/contracts/console/common.ts";
import { ServerCa } from "#lib/contracts/console/server-ca.ts";
import { parseCertificate } from "#lib/pki/certificates.ts";
import { loadApiRoutes, type RouteFile } from "#tests/harness/api-routes.ts";
import { PUBLIC_URL, startTestConsole, type TestConsole } from "#tests/harness/console.ts";
import { createSoftwareCa } from "#tests/pki/software-ca.ts";

let test: TestConsole;
let routes: RouteFile[];

beforeAll(async () => {
  test = await startTestConsole();
  routes = await loadApiRoutes();
});
afterAll(() => test.drop());

/** Through the real route, as an admin's token. */
async function call(method: "GET" | "POST" | "PATCH" | "DELETE", path: string, body?: unknown): Promise<Response> {
  const address = `/api/v1${path}`;
  const shape = address
    .split("?", 1)
    .join("")
    .replace(/[0-9a-f]{8}-[0-9a-f-]{27}/, "{id}");
  const handler = routes.find((route) => route.path === shape)?.handlers[method];
  if (handler === undefined) throw new Error(`no route at ${shape}`);
  const headers = { authorization: `Bearer ${test.tokens.admin}`, "content-type": "application/json" };
  const given = method === "GET" || method === "DELETE" ? {} : { body: JSON.stringify(body ?? {}) };
  return handler(new Request(`${PUBLIC_URL}${address}`, { method, headers, ...given }));
}
const authority = async (res: Response) => Authority.parse(await res.json());
const problem = async (res: Response) => [res.status, ((await res.json()) as { code: string }).code]; // problem+json

it("runs an authority through its whole life", async () => {
  const made = await call("POST", "/authorities", { name: "Line 4", keyKind: "Ed25519", years: 3 });
  expect(made.status).toBe(201);
  const { id, ...rest } = await authority(made);
  expect(rest).toMatchObject({ name: "Line 4", keyType: "Ed25519", state: "open", issues: true });
  expect(rest.published?.crlUrl).toBe(`${PUBLIC_URL}/pki/${id}.crl`);
  const { data } = pageOf(Authority).parse(await (await call("GET", "/authorities")).json());
  expect(data.map((it) => it.id)).toContain(id);

  const pem = await call("GET", `/authorities/${id}/certificate.pem`);
  expect(pem.headers.get("content-disposition")).toContain("attachment");
  expect(parseCertificate(await pem.text()).fingerprint).toBe(rest.fingerprint);

  const rules = { subjectPattern: "CN=*", keyTypes: ["P-256"], maxValidityDays: 400 };
  const preview = await call("POST", `/authorities/${id}/preview-rules`, rules);
  expect(await preview.json()).toMatchObject({ known: 0, unfit: 0 });
  const changed = await authority(await call("PATCH", `/authorities/${id}`, { ...rules, name: "Line 5" }));
  expect(changed).toMatchObject({ name: "Line 5", rules: { ...rules, policy: "ask" } });

  expect(await authority(await call("POST", `/authorities/${id}/close`))).toMatchObject({ state: "closed" });
  expect(await authority(await call("POST", `/authorities/${id}/reopen`))).toMatchObject({ state: "open" });
  expect(await authority(await call("POST", `/authorities/${id}/issue-with`))).toMatchObject({ issues: true });
  const why = { reason: "cessationOfOperation", note: "moved" };
  const tooMany = await call("POST", `/authorities/${id}/revoke`, { ...why, allowedCertificates: 1 });
  expect(await problem(tooMany)).toEqual([409, "authority.count_changed"]);
  const revoked = await authority(await call("POST", `/authorities/${id}/revoke`, { ...why, allowedCertificates: 0 }));
  expect(revoked).toMatchObject({ state: "revoked", issues: false, revocationReason: "cessationOfOperation" });
  expect(await problem(await call("POST", `/authorities/${id}/reopen`))).toEqual([409, "authority.wrong_state"]);
});

it("takes an authority without its key on proof, and lets no private key out", async () => {
  const ca = await createSoftwareCa({ commonName: "Works CA" });
  const { id, state } = await authority(await call("POST", "/authorities/upload", { certificatePem: ca.pem }));
  expect(state).toBe("unproved");
  const { code } = ProofOrder.parse(await (await call("POST", `/authorities/${id}/proof-code`)).json());
  const { pem } = await ca.issue({ commonNames: [code] });
  const wrong = await call("POST", `/authorities/${id}/proof`, { certificatePem: ca.pem });
  expect(await problem(wrong)).toEqual([400, "authority.proof_failed"]);
  const proved = await authority(await call("POST", `/authorities/${id}/proof`, { certificatePem: pem }));
  expect(proved.state).toBe("open");

  expect(await problem(await call("DELETE", `/authorities/${id}`))).toEqual([409, "authority.wrong_state"]);
  const mistake = { certificatePem: (await createSoftwareCa({ commonName: "Mistaken CA" })).pem };
  const unproved = await authority(await call("POST", "/authorities/upload", mistake));
  expect((await call("DELETE", `/authorities/${unproved.id}`)).status).toBe(200);
  expect(await problem(await call("GET", `/authorities/${unproved.id}`))).toEqual([404, "authority.not_found"]);

  const keyed = await createSoftwareCa({ commonName: "Keyed CA" });
  const upload = { certificatePem: keyed.pem, privateKeyPem: keyed.privateKeyPem };
  expect(await (await call("POST", "/authorities/upload", upload)).text()).not.toContain("PRIVATE");
  const entries = await test.console.db.auditEntry.findMany();
  expect(JSON.stringify(entries, (_key, value) => (typeof value === "bigint" ? String(value) : value))).not.toMatch(
    /PRIVATE|BEGIN|gatehouse-proof/,
  );
});

it("refuses what is no rule and what is too large, each with its status", async () => {
  const { id } = await authority(await call("POST", "/authorities", { name: "Rules" }));
  const cases: readonly [string, unknown, number, string][] = [
    [
      `/authorities/${id}/revoke`,
      { reason: "certificateHold", note: "x", allowedCertificates: 0 },
      400,
      "request.invalid",
    ],
    [`/authorities/${id}/revoke`, { reason: "unspecified", note: " ", allowedCertificates: 0 }, 400, "request.invalid"],
    ["/authorities", { name: "x", keyKind: "RSA-1024" }, 400, "request.invalid"],
    ["/authorities", { name: "x", years: 31 }, 400, "request.invalid"],
    ["/authorities/upload", { certificatePem: "A".repeat(500_000) }, 413, "request.too_large"],
    [`/authorities/${crypto.randomUUID()}/close`, {}, 404, "authority.not_found"],
  ];
  for (const [path, body, status, code] of cases) {
    expect(await problem(await call("POST", path, body))).toEqual([status, code]);
  }
});

it("prepares the next server CA, once, drops it, and switches to another", async () => {
  const before = ServerCa.parse(await (await call("GET", "/server-ca")).json());
  expect(before).toMatchObject({ next: null, ownCertificate: false });
  expect((await call("POST", "/server-ca/prepare")).status).toBe(201);
  expect(await problem(await call("POST", "/server-ca/cancel", { devicesWith: 3 }))).toEqual([
    409,
    "authority.count_changed",
  ]);
  const dropped = ServerCa.parse(await (await call("POST", "/server-ca/cancel", { devicesWith: 0 })).json());
  expect(dropped).toMatchObject({ current: { id: before.current.id }, next: null });
  const res = await call("POST", "/server-ca/prepare");
  expect(res.status).toBe(201);
  const { next } = ServerCa.parse(await res.json());
  expect(await problem(await call("POST", "/server-ca/prepare"))).toEqual([409, "authority.wrong_state"]);
  const devices = await call("GET", "/server-ca/devices?has=false");
  expect(await devices.json()).toMatchObject({ data: [], total: 0 });
  expect(await problem(await call("POST", "/server-ca/switch", { devicesWithout: 3 }))).toEqual([
    409,
    "authority.count_changed",
  ]);
  const after = ServerCa.parse(await (await call("POST", "/server-ca/switch", { devicesWithout: 0 })).json());
  expect(after).toMatchObject({ current: { id: next?.id }, next: null });
});

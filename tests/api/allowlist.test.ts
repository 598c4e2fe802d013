import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, expect, it } from "vitest";
import { POST as importList } from "#app/api/v1/allowlist/import/route.ts";
import { GET as list } from "#app/api/v1/allowlist/route.ts";
import { AllowlistEntry, AllowlistImport } from "#lib/contracts/console/allowlist.ts";
import { pageOf } from "#lib/contracts/console/common.ts";
import { requestCtx } from "#lib/data/context.ts";
import { admitNewcomer } from "#services/identity/service.ts";
import { visitOf } from "#tests/harness/admission.ts";
import { PUBLIC_URL, startTestConsole, type TestConsole } from "#tests/harness/console.ts";
import { startTestServices } from "#tests/harness/console-services.ts";
import { addAuthority } from "#tests/pki/authority.ts";
import { createSoftwareCa } from "#tests/pki/software-ca.ts";

/* A list of devices from its file to the registry's own rows, behind HTTP as the console and the gateway have it. */

let test: TestConsole;
let stopServices: () => Promise<void>;

beforeAll(async () => {
  test = await startTestConsole();
  stopServices = await startTestServices(test);
});
afterAll(async () => {
  await stopServices();
  await test.drop();
});

async function upload(csv: string, query: string): Promise<AllowlistImport> {
  const res = await importList(
    new Request(`${PUBLIC_URL}/api/v1/allowlist/import${query}`, {
      method: "POST",
      headers: { authorization: `Bearer ${test.tokens.admin}`, "content-type": "text/csv" },
      body: csv,
    }),
  );
  expect(res.status).toBe(200);
  return AllowlistImport.parse(await res.json());
}

async function registry(method: string, path: string, body?: unknown): Promise<unknown> {
  const res = await fetch(`http://127.0.0.1:${test.servicesPort}/api/v1${path}`, {
    method,
    headers: { authorization: `Bearer ${test.servicesToken}`, "content-type": "application/json" },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return res.json();
}

it("adds nothing unless told to, then gives a listed device its name, group and tags in the registry", async () => {
  const ctx = requestCtx(test.console, randomUUID());
  const ca = await createSoftwareCa();
  const authorityId = await addAuthority(ctx, ca.certificate);
  const { certificate: leaf } = await ca.issue();
  const group = await registry("POST", "/device_groups", { name: "Line 4", groupType: "static", expression: null });
  const csv = `spki,name,hardware,group,tag.site,tag.line\n${leaf.spkiSha256},Truck 9,rpi4,${group},"Ulm; ""West""",4\n`;
  expect(await upload(csv, "")).toMatchObject({ imported: false, added: 1 });
  expect(await upload(csv, "?dryRun=false")).toMatchObject({ imported: true, added: 1 });

  await admitNewcomer(ctx, visitOf(leaf, authorityId));
  const uuid = leaf.subjectCn ?? "";
  expect(await registry("GET", `/devices/${uuid}`)).toMatchObject({ deviceName: "Truck 9" });
  expect(await registry("GET", `/device_groups/${group}/devices`)).toMatchObject({ values: [uuid] });
  const tags = [
    ["line", "4"],
    ["site", 'Ulm; "West"'],
  ];
  expect(await registry("GET", `/devices/${uuid}/device_tags`)).toEqual(tags);
  const res = await list(
    new Request(`${PUBLIC_URL}/api/v1/allowlist?use=used`, {
      headers: { authorization: `Bearer ${test.tokens.support}` },
    }),
  );
  expect(pageOf(AllowlistEntry).parse(await res.json()).data).toMatchObject([{ usedBy: leaf.fingerprint }]);
});

import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, expect, it } from "vitest";
import { POST as importList } from "#app/api/v1/allowlist/import/route.ts";
import { GET as name } from "#app/api/v1/device-groups/names/route.ts";
import { GET as list } from "#app/api/v1/device-groups/route.ts";
import { AllowlistImport } from "#lib/contracts/console/allowlist.ts";
import { PUBLIC_URL, startTestConsole, type TestConsole } from "#tests/harness/console.ts";
import { startTestServices } from "#tests/harness/console-services.ts";

/* What people choose groups from, read from the registry itself. */

let test: TestConsole;
let stopServices: () => Promise<void>;
const ids = new Map<string, string>();

beforeAll(async () => {
  test = await startTestConsole();
  stopServices = await startTestServices(test);
});
afterAll(async () => {
  await stopServices();
  await test.drop();
});

async function make(groupName: string, expression: string | null = null): Promise<string> {
  const res = await fetch(`http://127.0.0.1:${test.servicesPort}/api/v1/device_groups`, {
    method: "POST",
    headers: { authorization: `Bearer ${test.servicesToken}`, "content-type": "application/json" },
    body: JSON.stringify({ name: groupName, groupType: expression === null ? "static" : "dynamic", expression }),
  });
  expect(res.status).toBe(201);
  const id = String(await res.json());
  ids.set(groupName, id);
  return id;
}

async function ask(handler: typeof list, path: string): Promise<{ status: number; body: unknown }> {
  const headers = { authorization: `Bearer ${test.tokens.support}` };
  const res = await handler(new Request(`${PUBLIC_URL}/api/v1/device-groups${path}`, { headers }));
  return { status: res.status, body: await res.json() };
}
const named = (...names: string[]) => names.map((groupName) => ({ id: ids.get(groupName), name: groupName }));

it("lists the groups that devices can be put into by name, many or none, and says when there are more", async () => {
  expect(await ask(list, "")).toEqual({ status: 200, body: { data: [], isComplete: true } });
  for (let n = 0; n < 120; n += 1) await make(`Smart ${n}`, "deviceid contains x");
  for (const groupName of ["Zulu", "Line 4", "Line 40", "100 % new_"]) await make(groupName);
  expect(await ask(list, "")).toEqual({
    status: 200,
    body: { data: named("100 % new_", "Line 4", "Line 40", "Zulu"), isComplete: true },
  });
  expect(await ask(list, "?q=LINE&limit=1")).toEqual({
    status: 200,
    body: { data: named("Line 4"), isComplete: false },
  });
  expect((await ask(list, "?q=%25")).body).toEqual({ data: named("100 % new_"), isComplete: true });
  expect((await ask(list, "?q=none")).body).toEqual({ data: [], isComplete: true });
  expect((await ask(list, "?limit=201")).status).toBe(400);
});

it("names groups by id, without those that are gone or take no devices", async () => {
  const gone = randomUUID();
  const asked = [ids.get("Zulu"), gone, ids.get("Smart 0"), ids.get("Line 4"), ids.get("Zulu")].join(",");
  expect(await ask(name, `/names?ids=${asked}`)).toEqual({ status: 200, body: { data: named("Zulu", "Line 4") } });
  const many = Array.from({ length: 51 }, () => randomUUID()).join(",");
  expect((await ask(name, `/names?ids=${many}`)).status).toBe(400);
  expect((await ask(name, "/names?ids=Zulu")).status).toBe(400);
});

it("finds the group that a row of an imported list names among others that contain its name", async () => {
  const line = (text: string) => `${randomUUID().replaceAll("-", "").repeat(2)},${text}`;
  const res = await importList(
    new Request(`${PUBLIC_URL}/api/v1/allowlist/import`, {
      method: "POST",
      headers: { authorization: `Bearer ${test.tokens.admin}`, "content-type": "text/csv" },
      body: `spki,group\n${line("Line 4")}\n${line("Line")}\n${line("Smart 0")}\n`,
    }),
  );
  const report = AllowlistImport.parse(await res.json());
  expect(report).toMatchObject({ rows: 3, invalid: 2 });
  expect(report.errors.map(({ row, column }) => [row, column])).toEqual([
    [3, "group"],
    [4, "group"],
  ]);
});

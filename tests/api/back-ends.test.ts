import { afterAll, beforeAll, expect, it } from "vitest";
import { GET as one } from "#app/api/v1/back-ends/[id]/route.ts";
import { GET as list } from "#app/api/v1/back-ends/route.ts";
import { BackendList, BackendReport } from "#lib/contracts/console/back-ends.ts";
import { VERSION } from "#lib/version.ts";
import { PUBLIC_URL, startTestConsole, type TestConsole } from "#tests/harness/console.ts";
import { startTestServices } from "#tests/harness/console-services.ts";
import { type ContractServices, startContractServices } from "#tests/harness/generations.ts";

let test: TestConsole;
let theirs: ContractServices;
let stopServices: () => Promise<void>;

beforeAll(async () => {
  theirs = await startContractServices("A");
  const DIRECTOR_URL = theirs.url.replace("http://", "http://user:secret@");
  test = await startTestConsole({ DIRECTOR_URL, TREEHUB_URL: "http://127.0.0.1:1" });
  stopServices = await startTestServices(test);
});
afterAll(async () => {
  await stopServices();
  theirs.close();
  await test.drop();
});

const ask = (handler: (req: Request) => Promise<Response>, path: string) =>
  handler(
    new Request(`${PUBLIC_URL}/api/v1/back-ends${path}`, {
      headers: { authorization: `Bearer ${test.tokens.support}` },
    }),
  );
const read = async (id: string) => BackendReport.parse(await (await ask(one, `/${id}`)).json());

it("lists the back ends and what this install is, without a word of credentials", async () => {
  const res = await ask(list, "");
  const text = await res.text();
  const { data, about } = BackendList.parse(JSON.parse(text));
  expect(data.map(({ id, isExternal }) => `${id} ${isExternal}`)).toEqual([
    "device-registry false",
    "director true",
    "reposerver false",
    "keyserver false",
    "treehub true",
  ]);
  expect(about).toMatchObject({ version: VERSION, node: process.version });
  expect(about.database).toMatch(/^PostgreSQL \d+/);
  expect(text).not.toContain("secret");
});

it("tells of each how it is and what it can't do, whatever the others do", async () => {
  expect(await read("device-registry")).toMatchObject({ isReachable: true, generation: "both", version: VERSION });
  const director = await read("director");
  expect(director).toMatchObject({ isReachable: true, generation: "A", version: "contract-A", breaker: "closed" });
  expect(director.capabilities?.find(({ name }) => name === "cancel_in_flight")).toMatchObject({ isAvailable: false });
  const dead = await read("treehub");
  expect(dead).toMatchObject({ isReachable: false, latencyMs: null, capabilities: null });
  expect(dead.error).toContain("TreeHub");
});

it("knows no other back end", async () => {
  expect((await ask(one, "/postgres")).status).toBe(400);
});

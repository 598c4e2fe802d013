import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { GET as live } from "#app/api/health/live/route.ts";
import { GET as ready } from "#app/api/health/ready/route.ts";
import { GET as overview } from "#app/api/v1/overview/route.ts";
import { POST as setup } from "#app/api/v1/setup/route.ts";
import { Overview } from "#lib/contracts/console/overview.ts";
import { requestCtx } from "#lib/data/context.ts";
import { createSetupLink } from "#services/accounts/service.ts";
import { upsertDevice } from "#services/fleet/service.ts";
import { recordHeaderCheck } from "#services/header-mode/service.ts";
import { at } from "#tests/harness/api.ts";
import { PUBLIC_URL, startTestConsole, type TestConsole } from "#tests/harness/console.ts";
import { startTestServices } from "#tests/harness/console-services.ts";

let test: TestConsole;

beforeAll(async () => {
  test = await startTestConsole();
});
afterAll(() => test.drop());

async function readOverview(): Promise<Overview> {
  const headers = { authorization: `Bearer ${test.tokens.support}` };
  const res = await overview(new Request(`${PUBLIC_URL}/api/v1/overview`, { headers }));
  expect(res.status).toBe(200);
  return Overview.parse(await res.json());
}

describe("with every back end down", () => {
  it("the overview still counts what the console knows, and names each of them", async () => {
    const device = { uuid: randomUUID(), name: "one", deviceId: "one", createdAt: new Date() };
    await test.console.db.$transaction((tx) => upsertDevice(tx, "default", device));
    const shown = await readOverview();
    expect(shown.devices.total).toBe(1);
    expect(shown.attention.filter(({ kind }) => kind === "backend_down")).toHaveLength(3);
    expect(shown.backends.map(({ ok }) => ok)).toEqual([false, false, false]);
    expect(shown.firstSteps).toEqual({ connected: true, approved: false, image: false, updated: false });
  });

  it("the console is alive and not ready, and says what is missing", async () => {
    expect((await live()).status).toBe(200);
    const res = await ready();
    const body: unknown = await res.json();
    expect(res.status).toBe(503);
    expect(at(body, "dependencies.database.ok")).toBe(true);
    expect(at(body, "dependencies.director.ok")).toBe(false);
  });
});

it("warns of a reason that the door refuses for more often than usual, and leads to those attempts", async () => {
  const { db } = test.console;
  const lines = async () => (await readOverview()).attention.filter(({ kind }) => kind === "unusual_refusals");
  const hour = new Date(Math.floor(Date.now() / 3_600_000) * 3_600_000);
  const row = await db.refusalHour.create({ data: { namespaceId: "default", hour, code: "revoked", count: 50 } });
  expect(await lines()).toEqual([]);
  await db.refusalHour.updateMany({ where: { code: row.code }, data: { count: 51 } });
  expect(await lines()).toMatchObject([{ tone: "warn", count: 51, href: "/trust/refused?code=revoked" }]);
  await db.refusalHour.deleteMany({});
});

it("warns while a revocation takes longer than a second to be in force", async () => {
  const { db } = test.console;
  const lines = async () => (await readOverview()).attention.filter(({ kind }) => kind === "revocation");
  expect(await lines()).toEqual([]);
  const lateSince = new Date();
  await db.revocationCanary.create({ data: { namespaceId: "default", tries: 2, lastDelayMs: 1_400, lateSince } });
  expect(await lines()).toMatchObject([{ tone: "bad", since: lateSince.toISOString(), href: "/settings" }]);
  await db.revocationCanary.update({ where: { namespaceId: "default" }, data: { lateSince: null } });
  expect(await lines()).toEqual([]);
});

it("says first when a forged header got through the proxy in front, and only where there is one", async () => {
  const { console: own } = test;
  const ctx = requestCtx(own, "test");
  const startedAt = ctx.clock();
  await recordHeaderCheck(ctx, { verdict: "failed", detail: "x-original-address", startedAt, byPerson: false });
  const lines = async () => (await readOverview()).attention.filter(({ kind }) => kind === "header_mode");
  expect(await lines()).toEqual([]);
  Object.assign(own.config, { DECISION_PUBLIC_URL: "https://devices.example.com" });
  expect(await lines()).toMatchObject([{ tone: "bad", detail: "x-original-address", href: "/settings" }]);
  Object.assign(own.config, { DECISION_PUBLIC_URL: undefined });
});

describe("with the embedded services", () => {
  it("the console is ready and the overview has nothing to say about them", async () => {
    const stop = await startTestServices(test);
    const res = await ready();
    expect([res.status, at(await res.json(), "status")]).toEqual([200, "ready"]);
    expect((await readOverview()).attention).toEqual([]);
    await stop();
  });
});

describe("set-up", () => {
  const send = (body: object, headers: Record<string, string> = {}) =>
    setup(
      new Request(`${PUBLIC_URL}/api/v1/setup`, {
        method: "POST",
        headers: { "content-type": "application/json", ...headers },
        body: JSON.stringify({
          email: "First@Example.com",
          name: "First",
          password: "a long enough password",
          ...body,
        }),
      }),
    );

  it("makes the first admin once, with the link, from our own page", async () => {
    const link = await createSetupLink(requestCtx(test.console, "test"));
    const token = link?.token ?? "";
    expect((await send({ token }, { origin: "http://evil.example" })).status).toBe(403);
    expect((await send({ token: "x" })).status).toBe(403);
    expect((await send({ token, password: "short" })).status).toBe(400);
    const made = await send({ token }, { origin: PUBLIC_URL });
    expect([made.status, await made.json()]).toEqual([201, { email: "first@example.com" }]);
    expect((await send({ token })).status).toBe(403);
  });
});

it("has a line for each open notice, and none once it is settled", async () => {
  const { db } = test.console;
  const notice = {
    id: randomUUID(),
    namespaceId: "default",
    kind: "posture",
    subject: "shared_key",
    threshold: "found",
  };
  const href = "/trust/posture/shared_key";
  await db.notice.create({ data: { ...notice, text: "One key, two devices", href, at: new Date() } });
  const lines = async () => (await readOverview()).attention.filter(({ kind }) => kind === "notice");
  expect(await lines()).toMatchObject([{ tone: "bad", title: "One key, two devices", href }]);
  await db.notice.update({ where: { id: notice.id }, data: { settledAt: new Date() } });
  expect(await lines()).toEqual([]);
});

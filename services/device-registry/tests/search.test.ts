import { randomUUID } from "node:crypto";
import { request } from "node:http";
import { beforeAll, describe, expect, it } from "vitest";
import { recordDeviceSeen, recordUpdateEvents } from "#services/device-registry/service.ts";
import { upsertDevice } from "#services/fleet/service.ts";
import { CORRELATION, openRegistry, START } from "./harness.ts";

const registry = openRegistry();
const HOUR = 3_600_000;
const A = "/api/v1";
const B = "/device-registry/api/v1";
const uuids: Record<string, string> = {};

/** Four devices an hour apart: a and b were seen, b hibernates, c waits for its update, d belongs to somebody else. */
beforeAll(async () => {
  for (const name of ["a", "b", "c"]) {
    uuids[name] = await registry.addDevice({ deviceName: name, deviceId: `VIN-${name}` });
    registry.clock.advance(HOUR);
  }
  const foreign = { deviceName: "d", deviceId: "VIN-d", deviceType: "Other" };
  uuids.d = (await registry.call("POST", `${A}/devices`, { json: foreign, namespace: "other" })).json() as string;
  const at = (hours: number) => new Date(START.getTime() + hours * HOUR);
  const { a = "", b = "", c = "" } = uuids;
  await registry.write(async (tx) => {
    await recordDeviceSeen(tx, registry.ctx, a, at(1));
    await recordDeviceSeen(tx, registry.ctx, b, at(3));
    await recordUpdateEvents(tx, registry.ctx, [
      { kind: "Assigned", deviceUuid: a, correlationId: CORRELATION, at: at(3), scheduledFor: at(9) },
    ]);
    await upsertDevice(tx, "default", { uuid: c, name: "c", deviceId: "VIN-c", createdAt: at(2) });
    await tx.fleetDevice.updateMany({ where: { uuid: c }, data: { hardwareIds: ["rpi4", "ecu,x"] } });
    for (const [uuid, value] of [
      [a, "DE"],
      [b, "FR"],
    ])
      await tx.registryTag.create({
        data: { deviceUuid: uuid ?? "", namespaceId: "default", tagId: "country", value: value ?? "" },
      });
  });
  await registry.call("POST", `${A}/devices/${b}/hibernation`, { json: { status: true } });
});

describe.each([A, B])("searching %s", (base) => {
  const names = async (query: string) => {
    const found = await registry.call("GET", `${base}/devices?${query}`);
    return (found.json() as { values: { deviceName: string }[] }).values.map(({ deviceName }) => deviceName).join("");
  };

  it.each([
    ["hibernated=true", "b"],
    ["hibernated=false", "ac"],
    ["status=UpdateScheduled", "a"],
    ["status=NotSeen", "c"],
    ["activatedAfter=2026-03-01T13:00:00Z", "ab"],
    ["activatedBefore=2026-03-01T13:00:00Z", ""],
    ["activatedAfter=2026-03-01T13:00:00Z&activatedBefore=2026-03-01T15:00:00Z", "a"],
    ["lastSeenStart=2026-03-01T13:00:00Z", "b"],
    ["lastSeenEnd=2026-03-01T15:00:00Z", "a"],
    ["createdAtStart=2026-03-01T12:00:00Z", "bc"],
    ["createdAtEnd=2026-03-01T13:00:00Z", "a"],
    ["hardwareIds=rpi4,rpi5", "c"],
    ["hardwareIds=rpi5", ""],
    ["tags=country=DE,country=FR", "ab"],
    ["tags=country=ES", ""],
    ["notSeenSinceHours=1", "ac"],
    ["deviceId=VIN-d", ""],
    ["sortBy=lastSeen&sortDirection=desc", "bac"],
    ["sortBy=activatedAt", "abc"],
    ["sortBy=deviceId&sortDirection=desc&limit=1&offset=1", "b"],
  ])("by %s finds %j", async (query, expected) => expect(await names(query)).toBe(expected));

  it("shows a device's tags as attributes", async () => {
    const found = await registry.call("GET", `${base}/devices?deviceId=VIN-a`);
    expect(found.json()).toMatchObject({ values: [{ attributes: { country: "DE" }, mqttStatus: "NotSeen" }] });
  });

  it.each([
    "tags=country=DE&nameContains=x",
    "tags=country",
    "tags=c;d=x",
    "groupType=static",
    "grouped=true&groupId=11111111-1111-4111-8111-111111111111",
    "activatedAfter=yesterday",
    "status=Broken",
    "hardwareIds=",
    "nameContains=%00",
  ])("refuses %s with invalid_entity", async (query) => {
    const refused = await registry.call("GET", `${base}/devices?${query}`);
    expect([refused.status, refused.json()]).toMatchObject([400, { code: "invalid_entity" }]);
  });
});

describe("looking devices up by a JSON body", () => {
  const lookUp = (base: string, json: unknown, raw?: string) =>
    registry.call("GET", `${base}/devices?offset=0`, raw === undefined ? { json } : { raw });
  const namesOf = (answer: { json: () => unknown }) =>
    (answer.json() as { deviceName: string }[]).map(({ deviceName }) => deviceName);

  it.each([A, B])("answers %s with an array of those devices", async (base) => {
    const found = await lookUp(base, { oemIds: ["VIN-b"], deviceUuids: [uuids.a] });
    expect([found.status, namesOf(found)]).toEqual([200, ["a", "b"]]);
    expect(namesOf(await lookUp(base, {}))).toEqual([]);
  });

  it("names every missing id in [A], another namespace's among them", async () => {
    const unknown = randomUUID();
    const refused = await lookUp(A, { oemIds: ["VIN-a", "x", "VIN-d"], deviceUuids: [unknown, uuids.d] });
    expect([refused.status, refused.json()]).toMatchObject([
      404,
      { code: "missing_device", cause: { missingOemIds: "x,VIN-d", missingDeviceUuids: `${unknown},${uuids.d}` } },
    ]);
  });

  it("leaves missing ones out in [B]", async () => {
    expect(namesOf(await lookUp(B, { oemIds: ["x", "VIN-d", "VIN-c"] }))).toEqual(["c"]);
  });

  it("is a search when the body is no JSON object", async () => {
    for (const raw of ["[]", "{", '"x"'])
      expect((await lookUp(A, undefined, raw)).json()).toMatchObject({ total: 3, offset: 0 });
  });

  it("takes 10,000 ids of a kind and no more than its bytes", async () => {
    const many = Array.from({ length: 10_001 }, (_, index) => `x${index}`);
    expect((await lookUp(B, { oemIds: many.slice(1) })).status).toBe(200);
    expect((await lookUp(B, { oemIds: many })).json()).toMatchObject({ code: "invalid_entity" });
    expect((await lookUp(B, undefined, `{"oemIds":["${"x".repeat(4_194_304)}"]}`)).status).toBe(413);
  });
});

describe("counting", () => {
  const get = async (path: string) => (await registry.call("GET", path)).json();

  it("counts an expression as [A] and as [B]", async () => {
    const expression = encodeURIComponent("tag(country) contains d or deviceid position(5) is C");
    expect(await get(`${A}/devices/count?expression=${expression}`)).toBe(2);
    expect(await get(`${B}/devices/dynamic-group-count?expression=${expression}`)).toBe(2);
    const refused = await registry.call("GET", `${A}/devices/count?expression=deviceid`);
    expect([refused.status, refused.json()]).toMatchObject([400, { code: "invalid_group_expression" }]);
  });

  it("counts the fleet's states as [B]", async () => {
    expect(await get(`${B}/devices/count?recentSinceSecs=7200&offlineSinceSecs=60`)).toEqual({
      recent: 2,
      hibernated: 1,
      offline: 1,
      updatePending: 0,
      updateInProgess: 0,
      updateFailed: 0,
      updateScheduled: 1,
    });
  });

  it("counts the devices that were activated from start up to end", async () => {
    const between = (start: string, end: string) => `start=2026-03-01T${start}Z&end=2026-03-01T${end}Z`;
    expect(await get(`${A}/active_device_count?${between("13:00:00", "15:00:00")}`)).toBe(1);
    expect(await get(`${A}/devices/${uuids.c}/active_device_count?${between("00:00:00", "23:00:00")}`)).toBe(2);
  });

  it.each([
    `${A}/devices/count`,
    `${B}/devices/dynamic-group-count`,
    `${A}/devices/stats`,
    `${A}/active_device_count?start=2026-03-01T13:00:00Z`,
    `${B}/device_groups/membership`,
    `${B}/device_groups/count`,
  ])("answers %s, which lacks what it needs, 404 in plain text", async (path) => {
    const refused = await registry.call("GET", path);
    expect([refused.status, refused.headers["content-type"]]).toEqual([404, "text/plain; charset=utf-8"]);
  });
});

describe("installation statistics", () => {
  const correlationId = "urn:here-ota:mtu:22222222-2222-4222-8222-222222222222";
  const report = (name: string, change: { success: boolean; code: string; ecus: Record<string, string> }) => ({
    kind: "Completed" as const,
    deviceUuid: uuids[name] ?? "",
    correlationId,
    at: START,
    result: { success: change.success, code: change.code, description: "" },
    ecuReports: Object.fromEntries(
      Object.entries(change.ecus).map(([ecu, code]) => [
        ecu,
        { result: { success: code === "OK", code, description: "" }, target: [] },
      ]),
    ),
    rawReport: null,
  });

  it("count devices and ECUs by result code, each ECU by its latest result only", async () => {
    await registry.write((tx) =>
      recordUpdateEvents(tx, registry.ctx, [
        { ...report("a", { success: false, code: "19", ecus: { p: "19", s: "OK" } }), correlationId: CORRELATION },
        report("a", { success: true, code: "0", ecus: { p: "OK" } }),
        report("b", { success: false, code: "19", ecus: { p: "19" } }),
        report("c", { success: true, code: "0", ecus: { p: "OK" } }),
      ]),
    );
    const stats = async (query: string) => (await registry.call("GET", `${A}/devices/stats?${query}`)).json();
    expect(await stats(`correlationId=${correlationId}`)).toEqual([
      { resultCode: { value: "0" }, total: 2, success: true },
      { resultCode: { value: "19" }, total: 1, success: false },
    ]);
    expect(await stats(`correlationId=${correlationId}&reportLevel=ecu`)).toEqual([
      { resultCode: { value: "19" }, total: 1, success: false },
      { resultCode: { value: "OK" }, total: 2, success: true },
    ]);
    expect(await stats(`correlationId=${CORRELATION}&reportLevel=ecu`)).toEqual([
      { resultCode: { value: "OK" }, total: 1, success: true },
    ]);
    expect(await stats("correlationId=urn:other")).toEqual([]);
  });
});

it("looks the body up over a real connection too, and lets a sender of too much read the refusal", async () => {
  const address = await registry.listen();
  const send = (body: string) =>
    new Promise<{ status: number; body: string }>((resolve, reject) => {
      const headers = { ...registry.headers(), "content-length": Buffer.byteLength(body) };
      const sent = request(`${address}${A}/devices`, { method: "GET", headers }, (res) => {
        let text = "";
        res.on("data", (chunk: Buffer) => {
          text += chunk.toString();
        });
        res.on("end", () => resolve({ status: res.statusCode ?? 0, body: text }));
      });
      sent.on("error", reject);
      sent.end(body);
    });
  const found = await send(JSON.stringify({ oemIds: ["VIN-a"] }));
  expect([found.status, JSON.parse(found.body)]).toMatchObject([200, [{ deviceName: "a" }]]);
  expect((await send(" ".repeat(6_000_000))).status).toBe(413);
});

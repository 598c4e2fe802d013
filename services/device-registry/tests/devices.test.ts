import { randomUUID } from "node:crypto";
import { describe, expect, it } from "vitest";
import { recordDeviceSeen } from "#services/device-registry/service.ts";
import { openRegistry, START } from "./harness.ts";

const registry = openRegistry();
const get = async (uuid: string) => (await registry.call("GET", `/api/v1/devices/${uuid}`)).json();
const inFleet = (uuid: string) => registry.ctx.db.fleetDevice.findFirst({ where: { uuid } });

describe("creating a device", () => {
  it("answers 201 with the bare id and its location, and the fleet shows it", async () => {
    const uuid = randomUUID();
    const json = { uuid, deviceName: "car 7", deviceId: "VIN7", deviceType: "Vehicle", hibernated: null, unknown: 1 };
    const made = await registry.call("POST", "/api/v1/devices", { json });
    expect([made.status, made.json(), made.headers.location]).toEqual([201, uuid, `/devices/${uuid}`]);
    expect(await get(uuid)).toEqual({
      namespace: "default",
      uuid,
      deviceName: "car 7",
      deviceId: "VIN7",
      deviceType: "Vehicle",
      lastSeen: null,
      createdAt: "2026-03-01T12:00:00Z",
      activatedAt: null,
      deviceStatus: "NotSeen",
      notes: null,
      hibernated: false,
      mqttLastSeen: null,
      mqttStatus: "NotSeen",
      attributes: {},
    });
    expect(await inFleet(uuid)).toMatchObject({ name: "car 7", deviceId: "VIN7", status: "never_seen" });
  });

  it("refuses a name, a device id or a uuid that is taken, with conflicting_device", async () => {
    const uuid = await registry.addDevice({ deviceName: "taken", deviceId: "taken id" });
    for (const change of [{ deviceName: "taken" }, { deviceId: "taken id" }, { uuid }]) {
      const json = { deviceName: randomUUID(), deviceId: randomUUID(), deviceType: "Other", ...change };
      const refused = await registry.call("POST", "/api/v1/devices", { json });
      expect([refused.status, refused.json()]).toMatchObject([409, { code: "conflicting_device" }]);
    }
  });

  it("allows the same name and id in another namespace", async () => {
    const json = { deviceName: "twin", deviceId: "twin", deviceType: "Other" };
    expect((await registry.call("POST", "/api/v1/devices", { json })).status).toBe(201);
    expect((await registry.call("POST", "/api/v1/devices", { json, namespace: "other" })).status).toBe(201);
  });

  it.each([
    { deviceName: "" },
    { deviceName: "x".repeat(201) },
    { deviceId: "a\0b" },
    { deviceName: 7 },
    { uuid: "x" },
  ])("refuses %j with invalid_entity", async (change) => {
    const json = { deviceName: "n", deviceId: randomUUID(), deviceType: "Other", ...change };
    const refused = await registry.call("POST", "/api/v1/devices", { json });
    expect([refused.status, refused.json()]).toMatchObject([400, { code: "invalid_entity" }]);
  });
});

describe("provisioning", () => {
  const provision = (change: object = {}) => {
    const json = { deviceName: "p", deviceId: "prov", deviceType: "Other", credentials: "PEM 1", ...change };
    return registry.call("PUT", "/api/v1/devices", { json });
  };

  it("makes the device once and replaces its credentials, keeping uuid and name", async () => {
    const uuid = randomUUID();
    expect((await provision({ uuid })).json()).toBe(uuid);
    const again = await provision({ uuid: randomUUID(), deviceName: "another", credentials: "PEM 2" });
    expect([again.status, again.json()]).toEqual([200, uuid]);
    expect(await get(uuid)).toMatchObject({ deviceName: "p" });
    const credentials = await registry.call("GET", `/api/v1/devices/${uuid}/public_credentials`);
    expect(credentials.json()).toEqual({ uuid, credentialsType: "PEM", credentials: "PEM 2" });
  });

  it("makes one device of ten calls at once", async () => {
    const answers = await Promise.all(
      Array.from({ length: 10 }, (_, index) => provision({ deviceId: "race", deviceName: `race ${index}` })),
    );
    expect(new Set(answers.map((answer) => `${answer.status} ${answer.body}`)).size).toBe(1);
  });

  it("needs credentials", async () => {
    const refused = await provision({ credentials: undefined });
    expect([refused.status, refused.json()]).toMatchObject([400, { code: "request_needs_credentials" }]);
  });
});

describe("changing a device", () => {
  it("renames in registry and fleet at once; PUT clears notes that are not given, PATCH keeps them", async () => {
    const uuid = await registry.addDevice();
    const path = `/api/v1/devices/${uuid}`;
    const put = (json: object) => registry.call("PUT", path, { json });
    expect((await put({ deviceName: "one", notes: "note" })).json()).toEqual({});
    expect((await registry.call("PATCH", path, { json: { deviceName: "two" } })).status).toBe(200);
    expect(await get(uuid)).toMatchObject({ deviceName: "two", notes: "note" });
    expect(await inFleet(uuid)).toMatchObject({ name: "two" });
    await put({ deviceName: "three" });
    expect(await get(uuid)).toMatchObject({ deviceName: "three", notes: null });
  });

  it("answers an empty PATCH with missing_device, as the original does", async () => {
    const uuid = await registry.addDevice();
    const refused = await registry.call("PATCH", `/api/v1/devices/${uuid}`, { json: {} });
    expect([refused.status, refused.json()]).toMatchObject([404, { code: "missing_device" }]);
  });

  it("refuses a name that is taken and changes nothing", async () => {
    const uuid = await registry.addDevice({ deviceName: "mine" });
    await registry.addDevice({ deviceName: "yours" });
    const refused = await registry.call("PATCH", `/api/v1/devices/${uuid}`, { json: { deviceName: "yours" } });
    expect([refused.status, refused.json()]).toMatchObject([409, { code: "conflicting_device" }]);
    expect(await inFleet(uuid)).toMatchObject({ name: "mine" });
  });
});

describe("another namespace's device", () => {
  it("is 403 in plain text on every address, also below mydevice", async () => {
    const uuid = await registry.addDevice();
    for (const [method, path] of [
      ["GET", `/api/v1/devices/${uuid}`],
      ["PATCH", `/api/v1/devices/${uuid}`],
      ["DELETE", `/api/v1/devices/${uuid}`],
      ["GET", `/api/v1/mydevice/${uuid}`],
      ["PUT", `/api/v1/mydevice/${uuid}/packages`],
      ["POST", `/api/v1/devices/${uuid}/events`],
      ["PUT", `/api/v1/devices/${uuid}/system_info`],
      ["GET", `/api/v1/devices/${uuid}/installation_history`],
    ] as const) {
      const body = method === "GET" || method === "DELETE" ? {} : { json: [] };
      const refused = await registry.call(method, path, { ...body, namespace: "other" });
      expect([path, refused.status, refused.headers["content-type"]]).toEqual([path, 403, "text/plain; charset=utf-8"]);
    }
    expect(await get(uuid)).toMatchObject({ uuid });
  });

  it.each([randomUUID(), "not-a-uuid", "%00"])("and an unknown one (%s) is 404 missing_device", async (id) => {
    const refused = await registry.call("GET", `/api/v1/devices/${id}`);
    expect([refused.status, refused.json()]).toMatchObject([404, { code: "missing_device" }]);
  });
});

describe("deleting a device", () => {
  it("answers 202 and forgets it everywhere in one transaction, but keeps its reports", async () => {
    const uuid = await registry.addDevice();
    const path = `/api/v1/devices/${uuid}`;
    await registry.call("PUT", `${path}/system_info`, { json: { a: 1 } });
    await registry.call("PUT", `/api/v1/mydevice/${uuid}/packages`, { json: [{ name: "a", version: "1" }] });
    expect((await registry.call("DELETE", path)).status).toBe(202);
    expect(registry.deleted).toContain(uuid);
    expect(await inFleet(uuid)).toBeNull();
    expect((await registry.call("GET", path)).status).toBe(404);
    const where = { deviceUuid: uuid };
    expect(await registry.ctx.db.registrySystemInfo.count({ where })).toBe(0);
    expect(await registry.ctx.db.registryPackage.count({ where })).toBe(0);
    expect(await registry.ctx.db.registryDeletedDevice.count({ where: { uuid } })).toBe(1);
  });

  it("deletes nothing when the director can't forget it", async () => {
    const uuid = await registry.addDevice();
    registry.failOnDelete = true;
    const failed = await registry.call("DELETE", `/api/v1/devices/${uuid}`);
    registry.failOnDelete = false;
    expect(failed.status).toBe(500);
    expect(await get(uuid)).toMatchObject({ uuid });
    expect(await inFleet(uuid)).not.toBeNull();
  });
});

describe("searching", () => {
  const search = async (query: string, namespace = "search") =>
    (await registry.call("GET", `/api/v1/devices?${query}`, { namespace })).json() as {
      values: { deviceName: string }[];
      total: number;
      offset: number;
      limit: number;
    };
  const names = async (query: string) => (await search(query)).values.map(({ deviceName }) => deviceName);

  it("pages, sorts and filters by the plain parameters", async () => {
    for (const name of ["b_1", "a%1", "c"]) {
      const json = { deviceName: name, deviceId: `id-${name}`, deviceType: "Other" };
      await registry.call("POST", "/api/v1/devices", { json, namespace: "search" });
      registry.clock.advance(1_000);
    }
    expect(await names("")).toEqual(["a%1", "b_1", "c"]);
    expect(await names("sortBy=NAME&sortDirection=desc")).toEqual(["c", "b_1", "a%1"]);
    expect(await search("offset=1&limit=1")).toMatchObject({
      total: 3,
      offset: 1,
      limit: 1,
      values: [{ deviceName: "b_1" }],
    });
    expect(await names("nameContains=_")).toEqual(["b_1"]);
    expect(await names("nameContains=C")).toEqual(["c"]);
    expect(await names("deviceId=id-c")).toEqual(["c"]);
    expect(await names("notSeenSinceHours=1")).toHaveLength(3);
    expect(await names("grouped=true")).toEqual([]);
    expect(await names("grouped=false&groupType=dynamic")).toHaveLength(3);
  });

  it("sorts by createdAt newest first when no direction is given, as OTA+ Web expects", async () => {
    expect(await names("sortBy=createdAt&limit=2")).toEqual(["c", "a%1"]);
    expect(await names("sortBy=createdAt&sortDirection=asc")).toEqual(["b_1", "a%1", "c"]);
  });

  it.each(["deviceId=x&nameContains=y", "limit=-1", "offset=-1", "sortBy=colour", "grouped=true&notSeenSinceHours=1"])(
    "refuses %s with invalid_entity",
    async (query) => {
      const refused = await registry.call("GET", `/api/v1/devices?${query}`);
      expect([refused.status, refused.json()]).toMatchObject([400, { code: "invalid_entity" }]);
    },
  );

  it("clamps a limit that is too large", async () => {
    expect(await search("limit=100000")).toMatchObject({ limit: 1_000 });
  });
});

describe("a contact", () => {
  it("activates the device the first time and never goes back", async () => {
    const uuid = await registry.addDevice();
    const seen = (seconds: number) =>
      registry.write((tx) => recordDeviceSeen(tx, registry.ctx, uuid, new Date(START.getTime() + seconds * 1_000)));
    await seen(10);
    await seen(30);
    await seen(20);
    expect(await get(uuid)).toMatchObject({
      deviceStatus: "UpToDate",
      activatedAt: "2026-03-01T12:00:10Z",
      lastSeen: "2026-03-01T12:00:30Z",
    });
    expect(await inFleet(uuid)).toMatchObject({ status: "up_to_date" });
  });
});

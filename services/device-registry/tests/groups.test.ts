import { randomUUID } from "node:crypto";
import { beforeEach, describe, expect, it } from "vitest";
import { createFixtures } from "./groups-fixtures.ts";
import { openRegistry, START } from "./harness.ts";

const registry = openRegistry();
const { add, group, smart, members, importTags, form } = createFixtures(registry);
const A = "/api/v1/device_groups";
const B = "/device-registry/api/v1/device_groups";
let namespace: string;
beforeEach(() => {
  namespace = randomUUID();
  registry.namespace = namespace;
  registry.clock.now = START;
});

describe("a group", () => {
  it("is made, shown, listed, renamed and deleted", async () => {
    const id = await group("cars");
    const expected = {
      id,
      groupName: "cars",
      namespace,
      createdAt: "2026-03-01T12:00:00Z",
      groupType: "static",
      expression: null,
    };
    expect((await registry.call("GET", `${A}/${id}`)).json()).toEqual(expected);
    expect((await registry.call("PUT", `${A}/${id}/rename?groupName=lorries`)).json()).toEqual({});
    expect((await registry.call("GET", A)).json()).toEqual({
      values: [{ ...expected, groupName: "lorries" }],
      total: 1,
      offset: 0,
      limit: 50,
    });
    expect((await registry.call("DELETE", `${A}/${id}`)).status).toBe(204);
    const gone = await registry.call("GET", `${A}/${id}`);
    expect([gone.status, gone.json()]).toMatchObject([
      404,
      { code: "missing_entity", description: "Missing entity: Group" },
    ]);
  });

  it("is listed by name, or newest first, and found by a part of its name", async () => {
    for (const name of ["b_1", "a%1", "cc"]) {
      await group(name);
      registry.clock.advance(1_000);
    }
    const names = async (query: string) =>
      ((await registry.call("GET", `${A}?${query}`)).json() as { values: { groupName: string }[] }).values.map(
        ({ groupName }) => groupName,
      );
    expect(await names("")).toEqual(["a%1", "b_1", "cc"]);
    expect(await names("sortBy=createdAt&limit=2")).toEqual(["cc", "a%1"]);
    expect(await names("nameContains=_")).toEqual(["b_1"]);
  });

  const refusals = [
    [{ name: "taken", groupType: "static" }, 409, "conflicting_entity"],
    [{ name: "x", groupType: "static" }, 400, "invalid_entity"],
    [{ name: "n".repeat(101), groupType: "static" }, 400, "invalid_entity"],
    [{ name: "new", groupType: "clever" }, 400, "invalid_entity"],
    [
      { name: "new", groupType: "static", expression: "deviceid contains a" },
      400,
      "invalid_group_expression_for_group_type",
    ],
    [{ name: "new", groupType: "dynamic", expression: null }, 400, "invalid_group_expression_for_group_type"],
    [{ name: "new", groupType: "dynamic", expression: "deviceid contains %" }, 400, "invalid_entity"],
    [{ name: "new", groupType: "dynamic", expression: `deviceid contains ${"a".repeat(183)}` }, 400, "invalid_entity"],
  ] as const;
  it.each(refusals)("of %j is refused with %i %s, and none is made", async (json, status, code) => {
    await group("taken");
    const refused = await registry.call("POST", A, { json });
    expect([refused.status, refused.json()]).toMatchObject([status, { code }]);
    expect((await registry.call("GET", A)).json()).toMatchObject({ total: 1 });
  });

  it("can't take another's name", async () => {
    await group("taken");
    const refused = await registry.call("PUT", `${A}/${await group("mine")}/rename?groupName=taken`);
    expect([refused.status, refused.json()]).toMatchObject([409, { code: "conflicting_device_group_name" }]);
  });

  it("of another namespace is 403 in plain text on every address", async () => {
    const id = await group("theirs");
    const uuid = await add("x");
    for (const [method, path] of [
      ["GET", `${A}/${id}`],
      ["DELETE", `${A}/${id}`],
      ["PUT", `${A}/${id}/rename?groupName=mine`],
      ["GET", `${A}/${id}/count`],
      ["GET", `${A}/${id}/devices`],
      ["POST", `${A}/${id}/devices/${uuid}`],
      ["DELETE", `${A}/${id}/devices/${uuid}`],
      ["POST", `${A}/${id}/hibernation`],
      ["GET", `${B}/${id}/device-stats`],
    ] as const) {
      const refused = await registry.call(method, path, { namespace: "somebody" });
      expect([path, refused.status, refused.headers["content-type"]]).toEqual([path, 403, "text/plain; charset=utf-8"]);
    }
    expect((await registry.call("GET", `${A}/${id}`)).status).toBe(200);
    const search = await registry.call("GET", `/api/v1/devices?groupId=${id}`, { namespace: "somebody" });
    expect(search.json()).toMatchObject({ total: 0 });
  });

  it.each(["not-a-uuid", randomUUID()])("that nobody made (%s) is 404 missing_entity", async (id) => {
    const refused = await registry.call("DELETE", `${A}/${id}`);
    expect([refused.status, refused.json()]).toMatchObject([404, { code: "missing_entity" }]);
  });
});

describe("the members of a static group", () => {
  it("come and go one by one, each once", async () => {
    const id = await group("cars");
    const uuid = await add("one");
    const path = `${A}/${id}/devices/${uuid}`;
    expect((await registry.call("POST", path)).json()).toEqual({});
    const again = await registry.call("POST", path);
    expect([again.status, again.json()]).toMatchObject([409, { code: "conflicting_entity" }]);
    expect(await members(id)).toEqual([uuid]);
    expect((await registry.call("GET", `${A}/${id}/count`)).json()).toBe(1);
    expect((await registry.call("GET", `/api/v1/devices/${uuid}/groups`)).json()).toMatchObject({
      values: [id],
      total: 1,
    });
    expect((await registry.call("DELETE", path)).json()).toEqual({});
    const gone = await registry.call("DELETE", path);
    expect([gone.status, gone.json()]).toMatchObject([404, { code: "missing_entity" }]);
    expect(await members(id)).toEqual([]);
  });

  it("may be given as a file of device ids, of which unknown ones are skipped", async () => {
    const [one, two] = [await add("VIN 1"), await add("VIN;2")];
    registry.namespace = randomUUID();
    await add("VIN 3");
    registry.namespace = namespace;
    const file = "\uFEFFVIN 1\r\nVIN;2\nVIN 1\n\nunknown\nVIN 3";
    const made = await registry.call("POST", `${A}?groupName=filed`, form("deviceIds", file));
    expect(made.status).toBe(201);
    expect(await members(made.json() as string)).toEqual([one, two].sort());
  });

  it.each([
    ["a line of 129 bytes", `ok\n${"é".repeat(65)}`, "deviceIds", "malformed_input"],
    ["another field", "VIN 1", "file", "malformed_input"],
  ])("are refused with %s", async (_name, file, field, code) => {
    const refused = await registry.call("POST", `${A}?groupName=filed`, form(field, file));
    expect([refused.status, refused.json()]).toMatchObject([400, { code }]);
    expect((await registry.call("GET", A)).json()).toMatchObject({ total: 0 });
  });

  it("go with the device", async () => {
    const id = await group("cars");
    const uuid = await add("gone");
    await registry.call("POST", `${A}/${id}/devices/${uuid}`);
    await registry.call("DELETE", `/api/v1/devices/${uuid}`);
    expect((await registry.call("GET", `${A}/${id}/count`)).json()).toBe(0);
  });

  it("hibernate together, and nobody else does", async () => {
    const id = await group("cars");
    const [uuid] = [await add("in"), await add("out")];
    await registry.call("POST", `${A}/${id}/devices/${uuid}`);
    expect((await registry.call("POST", `${A}/${id}/hibernation`, { json: { status: true } })).json()).toEqual({});
    const asleep = await registry.call("GET", "/api/v1/devices?hibernated=true");
    expect(asleep.json()).toMatchObject({ total: 1, values: [{ uuid }] });
  });
});

describe("the members of a smart group", () => {
  it("are computed when it is made, and for each device that comes", async () => {
    const old = await add("car-1");
    await add("lorry-1");
    const id = await smart("cars", "deviceid contains CAR or tag(kind) position(1) is not c and deviceid contains bus");
    expect(await members(id)).toEqual([old]);
    const fresh = [await add("car-2"), await add("lorry-2"), await add("bus-1")];
    expect(await members(id)).toEqual([old, fresh[0], fresh[2]].sort());
  });

  it("are nobody's to add or remove", async () => {
    const uuid = await add("car");
    const path = `${A}/${await smart("cars", "deviceid contains car")}/devices/${uuid}`;
    const added = await registry.call("POST", path);
    expect([added.status, added.json()]).toMatchObject([400, { code: "cannot_add_device_to_dynamic_group" }]);
    const removed = await registry.call("DELETE", path);
    expect([removed.status, removed.json()]).toMatchObject([400, { code: "cannot_remove_device_from_dynamic_group" }]);
  });

  it("miss no device that is made while the group is", async () => {
    const made = await Promise.all(
      Array.from({ length: 12 }, (_, index) => (index === 6 ? smart("all", "deviceid contains r") : add(`r${index}`))),
    );
    const id = made[6] ?? "";
    expect(await members(id)).toEqual(made.filter((uuid) => uuid !== id).sort());
  });
});

describe("searching by groups", () => {
  it("tells members of a group, of any, of a type, and of none", async () => {
    const uuid = { a: await add("a"), b: await add("b"), c: await add("c") };
    const fixed = await group("fixed");
    await registry.call("POST", `${A}/${fixed}/devices/${uuid.a}`);
    const moving = await smart("moving", "deviceid contains b");
    const found = async (query: string) =>
      (
        (await registry.call("GET", `/api/v1/devices?sortBy=deviceId&${query}`)).json() as {
          values: { deviceId: string }[];
        }
      ).values
        .map(({ deviceId }) => deviceId)
        .join("");
    expect(await found(`groupId=${fixed}`)).toBe("a");
    expect(await found(`groupId=${moving}&nameContains=b`)).toBe("b");
    expect(await found("grouped=true")).toBe("ab");
    expect(await found("grouped=true&groupType=dynamic")).toBe("b");
    expect(await found("grouped=false")).toBe("c");
    expect(await found("grouped=false&groupType=dynamic")).toBe("ac");
  });
});

describe("what only [B] tells of groups", () => {
  it("is membership, sizes and statistics, of one's own namespace only", async () => {
    const uuid = await add("car");
    const [id, empty] = [await smart("cars", "deviceid contains car"), await group("empty")];
    await registry.seen(uuid, START);
    registry.clock.advance(30 * 60_000);
    const get = async (path: string, change = {}) => (await registry.call("GET", `${B}${path}`, change)).json();
    expect(await get(`/membership?deviceUuids=${uuid},${randomUUID()}`)).toEqual({ [uuid]: [id] });
    expect(await get(`/count?groupIds=${id},${empty}`)).toEqual({ values: { [id]: 1, [empty]: 0 } });
    expect(await get(`/${id}/device-stats`)).toEqual({
      status: { UpToDate: 1 },
      lastSeen: { "10mins": 0, "1hour": 1, "1day": 1, "1week": 1, "1month": 1, "1year": 1 },
    });
    const foreign = { namespace: "somebody" };
    expect(await get(`/membership?deviceUuids=${uuid}`, foreign)).toEqual({});
    expect(await get(`/count?groupIds=${id}`, foreign)).toEqual({ values: {} });
    const many = Array.from({ length: 101 }, () => randomUUID()).join(",");
    expect(await get(`/count?groupIds=${many}`)).toMatchObject({ code: "invalid_entity" });
  });
});

it("keeps tags and groups apart by namespace", async () => {
  await add("car");
  await importTags("DeviceID;country\ncar;DE");
  const id = await smart("german", "tag(country) contains de");
  registry.namespace = randomUUID();
  await add("car");
  expect(await members(await smart("german", "tag(country) contains de"))).toEqual([]);
  registry.namespace = namespace;
  expect(await members(id)).toHaveLength(1);
});

import { randomUUID } from "node:crypto";
import { beforeAll, describe, expect, it } from "vitest";
import { createFixtures } from "./groups-fixtures.ts";
import { openRegistry } from "./harness.ts";

const DEVICES = 5_000;
const registry = openRegistry();
const { add, group, smart, members, importTags, form } = createFixtures(registry);
const GROUPS = "/api/v1/device_groups";

/** One namespace of 5,000 devices and one of three. */
const LARGE = "large";
const SMALL = "small";
beforeAll(async () => {
  for (const [namespaceId, length] of [
    [LARGE, DEVICES],
    [SMALL, 3],
  ] as const) {
    await registry.ctx.db.registryDevice.createMany({
      data: Array.from({ length }, (_, index) => ({
        uuid: randomUUID(),
        namespaceId,
        deviceName: `car ${index}`,
        deviceId: `VIN${index}`,
        deviceType: "Other",
        status: "NotSeen",
      })),
    });
  }
});

const idsOf = (namespace: string) =>
  Array.from({ length: namespace === LARGE ? DEVICES : 3 }, (_, index) => `VIN${index}`);
const tagging = (namespace: string) =>
  ["DeviceID;kind", ...idsOf(namespace).map((id, index) => `${id};${index % 2 === 0 ? "even" : "odd"}`)].join("\n");

describe("statements do not grow with the fleet", () => {
  const search = (query: string) => () => registry.call("GET", `/api/v1/devices?${query}`);
  it.each([
    ["making a smart group", () => smart(randomUUID(), "deviceid contains VIN and tag(kind) position(1) is not o")],
    [
      "making a group of a file",
      () =>
        registry.call(
          "POST",
          `${GROUPS}?groupName=${randomUUID()}`,
          form("deviceIds", idsOf(registry.namespace).join("\n")),
        ),
    ],
    ["importing tags", () => importTags(tagging(registry.namespace))],
    ["renaming a tag", () => registry.call("PUT", "/api/v1/device_tags/kind", { json: { tagId: "sort" } })],
    ["searching by tag", search("tags=sort=even&limit=1000")],
    ["searching those in no group", search("grouped=false&groupType=dynamic&sortBy=lastSeen&limit=1000")],
    ["counting an expression", () => registry.call("GET", "/api/v1/devices/count?expression=deviceid%20contains%201")],
    [
      "looking many up",
      () => registry.call("GET", "/device-registry/api/v1/devices", { json: { oemIds: idsOf(registry.namespace) } }),
    ],
  ] as const)("when %s", async (_name, run) => {
    registry.namespace = SMALL;
    const few = await registry.count(run);
    registry.namespace = LARGE;
    const many = await registry.count(run);
    expect(many).toHaveLength(few.length);
    expect(many.length).toBeLessThan(15);
  });

  it("nor does the making of a device with the number of smart groups", async () => {
    registry.namespace = randomUUID();
    await smart("first", "deviceid contains a");
    const one = await registry.count(() => add("a"));
    for (let index = 0; index < 20; index += 1) await smart(`group ${index}`, "tag(x) position(1) is not a");
    const many = await registry.count(() => add("aa"));
    expect(many).toHaveLength(one.length);
  });
});

it("groups a whole fleet by its tags, and answers in pages", async () => {
  registry.namespace = LARGE;
  expect((await importTags(tagging(LARGE))).status).toBe(204);
  const id = await smart("even", "tag(kind) contains even");
  expect((await registry.call("GET", `${GROUPS}/${id}/count`)).json()).toBe(DEVICES / 2);
  expect(await members(id)).toHaveLength(1_000);
  const other = await group("by hand");
  expect((await registry.call("GET", `${GROUPS}/${other}/count`)).json()).toBe(0);
});

it("refuses the 501st smart group and keeps the 500", async () => {
  registry.namespace = randomUUID();
  await registry.ctx.db.registryGroup.createMany({
    data: Array.from({ length: 500 }, (_, index) => ({
      id: randomUUID(),
      namespaceId: registry.namespace,
      name: `group ${index}`,
      type: "dynamic",
      expression: Array.from({ length: 8 }, () => "tag(ab) contains x").join(" or "),
    })),
  });
  const json = { name: "one more", groupType: "dynamic", expression: "deviceid contains a" };
  const refused = await registry.call("POST", GROUPS, { json });
  expect([refused.status, refused.json()]).toMatchObject([400, { code: "invalid_entity" }]);
  const uuid = await add("a");
  await importTags("DeviceID;ab\na;xx");
  expect((await registry.call("GET", `/api/v1/devices/${uuid}/groups`)).json()).toMatchObject({ total: 500 });
});

import { randomUUID } from "node:crypto";
import { beforeEach, describe, expect, it } from "vitest";
import { createFixtures } from "./groups-fixtures.ts";
import { openRegistry } from "./harness.ts";

const registry = openRegistry();
const { add, smart, members, importTags } = createFixtures(registry);
const TAGS = "/api/v1/device_tags";
const tagsOf = async (uuid: string) => (await registry.call("GET", `/api/v1/devices/${uuid}/device_tags`)).json();
const expressionOf = async (id: string) => (await registry.call("GET", `/api/v1/device_groups/${id}`)).json();
beforeEach(() => {
  registry.namespace = randomUUID();
});

describe("importing tags", () => {
  it("replaces all tags of each listed device, skips unknown ones and leaves the others alone", async () => {
    const [a, b, c] = [await add("VIN a"), await add("b"), await add("c")];
    expect((await importTags("DeviceID;country;color\nVIN a;DE;red\nb;FR;\nc;ES;blue")).status).toBe(204);
    expect(await tagsOf(a)).toEqual([
      ["color", "red"],
      ["country", "DE"],
    ]);
    expect(await tagsOf(b)).toEqual([["country", "FR"]]);
    const second = '\uFEFFmy tag ;DeviceID\r\n"say ""x;y"""; VIN a \r\n\r\n;b\r\nz;unknown\r\nfirst;VIN a;more\r\n';
    expect((await importTags(second.replace("first;VIN a;more\r\n", ""))).status).toBe(204);
    expect(await tagsOf(a)).toEqual([["my tag", 'say "x;y"']]);
    expect(await tagsOf(b)).toEqual([]);
    expect(await tagsOf(c)).toEqual([
      ["color", "blue"],
      ["country", "ES"],
    ]);
    await importTags(second);
    expect(await tagsOf(a)).toEqual([["my tag", "first"]]);
  });

  it.each([
    ["without a header", ""],
    ["without DeviceID", "id;country\na;DE"],
    ["with a tag that is none", "DeviceID;coun/try\na;DE"],
    ["with a tag too long", `DeviceID;${"t".repeat(21)}\na;DE`],
    ["with a column twice", "DeviceID;a;a\nx;1;2"],
    ["with a value too long", `DeviceID;a\nx;${"v".repeat(255)}`],
    ["with a NUL", "DeviceID;a\nx;\0"],
    ["with a quote that stays open", 'DeviceID;a\nx;"1'],
    ["with 101 tags", `DeviceID;${Array.from({ length: 101 }, (_, index) => `t${index}`).join(";")}\n`],
  ])("%s is refused with malformed_input, and changes nothing", async (_name, csv) => {
    const uuid = await add("x");
    await importTags("DeviceID;kept\nx;1");
    const refused = await importTags(csv);
    expect([refused.status, refused.json()]).toMatchObject([400, { code: "malformed_input" }]);
    expect(await tagsOf(uuid)).toEqual([["kept", "1"]]);
  });

  it("moves the listed devices between smart groups, both ways", async () => {
    const [a, b] = [await add("a"), await add("b")];
    const german = await smart("german", "tag(country) contains de");
    const others = await smart("others", "tag(country) position(2) is not E");
    expect([await members(german), await members(others)]).toEqual([[], [a, b].sort()]);
    await importTags("DeviceID;country\na;DE\nb;D");
    expect([await members(german), await members(others)]).toEqual([[a], [b]]);
    await importTags("DeviceID;country\na;FR");
    expect([await members(german), await members(others)]).toEqual([[], [a, b].sort()]);
  });
});

describe("a device's tag", () => {
  it("is changed, with the smart groups that look at it; a new one is not added", async () => {
    const a = await add("a");
    await importTags("DeviceID;country\na;DE");
    const french = await smart("french", "tag(country) contains fr");
    const patch = (json: unknown) => registry.call("PATCH", `/api/v1/devices/${a}/device_tags`, { json });
    expect((await patch({ tagId: "country", tagValue: "FR" })).json()).toEqual([["country", "FR"]]);
    expect(await members(french)).toEqual([a]);
    expect((await patch({ tagId: "other", tagValue: "x" })).json()).toEqual([["country", "FR"]]);
    expect((await patch({ tagId: "a;b", tagValue: "x" })).json()).toMatchObject({ code: "invalid_entity" });
  });

  it("goes with the device", async () => {
    const a = await add("a");
    await importTags("DeviceID;country\na;DE");
    await registry.call("DELETE", `/api/v1/devices/${a}`);
    expect((await registry.call("GET", TAGS)).json()).toEqual([]);
  });
});

describe("renaming a tag", () => {
  it("renames it on devices and in expressions, and finds members for who looked for the new name", async () => {
    const a = await add("a");
    await importTags("DeviceID;land\na;DE");
    const before = await smart("before", "( tag(land) contains de )");
    const after = await smart("after", "tag(country) contains de");
    expect((await registry.call("PUT", `${TAGS}/land`, { json: { tagId: "country" } })).json()).toEqual({});
    expect(await tagsOf(a)).toEqual([["country", "DE"]]);
    expect(await expressionOf(before)).toMatchObject({ expression: "( tag(country) contains de )" });
    expect([await members(before), await members(after)]).toEqual([[a], [a]]);
  });

  it("is refused when a device has both, and changes nothing", async () => {
    const a = await add("a");
    await importTags("DeviceID;x;y\na;1;2");
    const id = await smart("xx", "tag(x) contains 1");
    const refused = await registry.call("PUT", `${TAGS}/x`, { json: { tagId: "y" } });
    expect([refused.status, refused.json()]).toMatchObject([409, { code: "conflicting_entity" }]);
    expect(await expressionOf(id)).toMatchObject({ expression: "tag(x) contains 1" });
    expect(await members(id)).toEqual([a]);
  });
});

describe("deleting a tag", () => {
  it("is refused while a smart group rests on it alone, and the list says so", async () => {
    await add("a");
    await importTags("DeviceID;x;y\na;1;2");
    await smart("xx", "tag(x) contains 1 or tag(x) position(1) is 1");
    await smart("yy", "tag(y) contains 2 and deviceid contains a");
    expect((await registry.call("GET", TAGS)).json()).toEqual([
      { tagId: "x", isDelible: false },
      { tagId: "y", isDelible: true },
    ]);
    const refused = await registry.call("DELETE", `${TAGS}/x`);
    expect([refused.status, refused.json()]).toMatchObject([400, { code: "cannot_remove_device_tag" }]);
  });

  it("takes it off devices and out of expressions, and computes those groups anew", async () => {
    const [a, b] = [await add("a1"), await add("b1")];
    await importTags("DeviceID;x\na1;1");
    const id = await smart(
      "xx",
      "(tag(x) contains 1 or deviceid contains q) and deviceid contains 1 or tag(x) contains 7",
    );
    expect(await members(id)).toEqual([a]);
    expect((await registry.call("DELETE", `${TAGS}/x`)).json()).toEqual({});
    expect(await expressionOf(id)).toMatchObject({ expression: "deviceid contains q and deviceid contains 1" });
    expect(await members(id)).toEqual([]);
    expect([await tagsOf(a), await tagsOf(b)]).toEqual([[], []]);
    expect((await registry.call("DELETE", `${TAGS}/never`)).status).toBe(200);
  });
});

it("keeps what two imports at once leave true: every smart group fits its devices' tags", async () => {
  const uuids = [await add("a"), await add("b")];
  const groups = [await smart("one", "tag(t) contains 1"), await smart("two", "tag(t) contains 2")];
  await Promise.all(
    Array.from({ length: 8 }, (_, index) => importTags(`DeviceID;t\na;${1 + (index % 2)}\nb;${2 - (index % 2)}`)),
  );
  for (const [index, group] of groups.entries()) {
    const tagged = await Promise.all(uuids.map(async (uuid) => [uuid, JSON.stringify(await tagsOf(uuid))] as const));
    const fitting = tagged.filter(([, tags]) => tags.includes(`"${index + 1}"`)).map(([uuid]) => uuid);
    expect(await members(group)).toEqual(fitting.sort());
  }
});

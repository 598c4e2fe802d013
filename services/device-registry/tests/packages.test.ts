import { randomUUID } from "node:crypto";
import { beforeEach, describe, expect, it } from "vitest";
import { createFixtures } from "./groups-fixtures.ts";
import { openRegistry } from "./harness.ts";

const registry = openRegistry();
const { add, smart } = createFixtures(registry);
const A = "/api/v1";
const B = "/device-registry/api/v1";
const get = async (path: string) => (await registry.call("GET", path)).json();
const install = (uuid: string, ...names: string[]) => {
  const json = names.map((name) => ({ name, version: "1/0" }));
  return registry.call("PUT", `${A}/mydevice/${uuid}/packages`, { json });
};
beforeEach(() => {
  registry.namespace = randomUUID();
});

describe("installed packages", () => {
  it("are counted over devices and their groups", async () => {
    const [a, b] = [await add("a1"), await add("b1")];
    const id = await smart("as", "deviceid contains a");
    await install(a, "app", "lib");
    await install(b, "lib");
    expect(await get(`${A}/device_count/lib/1%2F0`)).toEqual({ deviceCount: 2, groupIds: [id] });
    expect(await get(`${A}/devices/${b}/device_count/app/1%2F0`)).toEqual({ deviceCount: 1, groupIds: [id] });
    expect(await get(`${A}/device_count/none/1`)).toEqual({ deviceCount: 0, groupIds: [] });
  });

  it("tell which devices are affected, of this namespace only", async () => {
    const [a, b] = [await add("a1"), await add("b1")];
    await install(a, "app", "lib");
    await install(b, "lib");
    const affected = async (...names: string[]) => {
      const json = names.map((name) => ({ name, version: "1/0" }));
      return (await registry.call("POST", `${A}/device_packages/affected`, { json })).json();
    };
    const of = (name: string) => ({ name, version: "1/0" });
    expect(await affected("lib", "app", "lib")).toEqual({ [a]: [of("app"), of("lib")], [b]: [of("lib")] });
    expect(await affected()).toEqual({});
    expect(await affected(...Array.from({ length: 101 }, () => "x"))).toMatchObject({ code: "invalid_entity" });
    registry.namespace = randomUUID();
    expect(await affected("lib")).toEqual({});
  });
});

describe("the list of packages", () => {
  const item = (name: string, comment = "why") => ({ json: { packageId: { name, version: "1/0" }, comment } });

  it("takes, changes, shows and forgets an entry, and lists those that are installed", async () => {
    await install(await add("a"), "bad");
    await install(await add("b"), "bad");
    expect((await registry.call("POST", `${A}/package_lists`, item("bad"))).status).toBe(201);
    expect((await registry.call("POST", `${A}/package_lists`, item("rare"))).status).toBe(201);
    const again = await registry.call("POST", `${A}/package_lists`, item("bad"));
    expect([again.status, again.json()]).toMatchObject([409, { code: "conflicting_entity" }]);
    expect(await get(`${A}/package_lists`)).toEqual([{ packageId: { name: "bad", version: "1/0" }, deviceCount: 2 }]);
    expect((await registry.call("PUT", `${A}/package_lists`, item("bad", "new"))).status).toBe(204);
    expect((await registry.call("PUT", `${A}/package_lists`, item("absent", "new"))).status).toBe(204);
    expect(await get(`${A}/package_lists/bad/1%2F0`)).toEqual({
      namespace: registry.namespace,
      packageId: { name: "bad", version: "1/0" },
      comment: "new",
    });
    expect((await registry.call("DELETE", `${A}/package_lists/bad/1%2F0`)).status).toBe(204);
    const gone = await registry.call("GET", `${A}/package_lists/bad/1%2F0`);
    expect([gone.status, gone.json()]).toMatchObject([404, { code: "missing_entity" }]);
    expect(await get(`${A}/package_lists`)).toEqual([]);
  });

  it("is each namespace's own", async () => {
    await registry.call("POST", `${A}/package_lists`, item("bad"));
    registry.namespace = randomUUID();
    expect((await registry.call("GET", `${A}/package_lists/bad/1%2F0`)).status).toBe(404);
    expect((await registry.call("DELETE", `${A}/package_lists/bad/1%2F0`)).status).toBe(204);
  });
});

describe("monitoring", () => {
  const monitor = (uuid: string, json: unknown, base = A) =>
    registry.call("POST", `${base}/devices/${uuid}/monitoring`, { json });

  it("takes any object with its time, and refuses one without", async () => {
    const uuid = await add("a");
    expect((await monitor(uuid, { date: 1700000000.25, cpu: { user: 1 } })).status).toBe(204);
    expect((await monitor(uuid, { cpu: 1 }, B)).json()).toMatchObject({ code: "invalid_entity" });
    expect((await monitor(randomUUID(), { date: 1 })).json()).toMatchObject({ code: "missing_device" });
  });

  it("of fluentbit says with 416 which of many it did not take", async () => {
    const path = `${B}/devices/${await add("a")}/monitoring/fluentbit-metrics`;
    expect((await registry.call("POST", path, { json: [{ date: 1 }, { date: 2, x: [] }] })).status).toBe(204);
    const refused = await registry.call("POST", path, { json: [{ date: 1 }, { date: "2" }] });
    expect([refused.status, refused.json()]).toEqual([
      416,
      [
        { publishedSuccessfully: true, msg: "" },
        { publishedSuccessfully: false, msg: expect.any(String) },
      ],
    ]);
  });
});

describe("network information in [B]", () => {
  it("has null for what is not known, and lists devices in the order asked, others' as unknown", async () => {
    const [a, b] = [await add("a"), await add("b")];
    const network = { local_ipv4: "10.0.0.1", mac: "", hostname: "car" };
    await registry.call("PUT", `${B}/devices/${a}/system_info/network`, { json: network });
    const known = { deviceUuid: a, local_ipv4: "10.0.0.1", mac: null, hostname: "car" };
    const unknown = (deviceUuid: string) => ({ deviceUuid, local_ipv4: null, mac: null, hostname: null });
    expect(await get(`${B}/devices/${a}/system_info/network`)).toEqual(known);
    expect(await get(`${A}/devices/${b}/system_info/network`)).toEqual({ local_ipv4: "", mac: "", hostname: "" });
    const list = async () =>
      (await registry.call("POST", `${B}/devices/list-network-info`, { json: [b, a, b] })).json();
    expect(await list()).toEqual([unknown(b), known, unknown(b)]);
    registry.namespace = randomUUID();
    expect(await list()).toEqual([unknown(b), unknown(a), unknown(b)]);
  });
});

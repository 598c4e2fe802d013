import { beforeEach, describe, expect, it } from "vitest";
import { openRegistry } from "./harness.ts";

const registry = openRegistry();
let uuid: string;
let path: string;
beforeEach(async () => {
  uuid = await registry.addDevice();
  path = `/api/v1/devices/${uuid}`;
});

describe("system info", () => {
  const read = async () => (await registry.call("GET", `${path}/system_info`)).json();

  it("is an empty object before the device sent any", async () => {
    expect(await read()).toEqual({});
  });

  it("numbers every object, children before their parents, and keeps all else", async () => {
    const info = { id: "host", children: [{ id: "core", deep: { a: 1.5 } }, { id: "eth" }], "id-nr": "mine" };
    expect((await registry.call("PUT", `${path}/system_info`, { json: info })).json()).toEqual({});
    expect(await read()).toEqual({
      id: "host",
      children: [
        { id: "core", deep: { a: 1.5, "id-nr": "0" }, "id-nr": "1" },
        { id: "eth", "id-nr": "2" },
      ],
      "id-nr": "3",
    });
  });

  it("keeps NUL, lone surrogates and a member called __proto__", async () => {
    const raw = '{"a":"\\u0000\\ud800","__proto__":{"polluted":true}}';
    expect((await registry.call("PUT", `${path}/system_info`, { raw })).status).toBe(200);
    const { body } = await registry.call("GET", `${path}/system_info`);
    expect(body).toContain('"__proto__":{"polluted":true,"id-nr":"0"}');
    expect(body).toContain("\\u0000\\ud800");
  });

  it("is replaced by PUT, from both addresses, and refused by POST when there is some", async () => {
    expect((await registry.call("POST", `${path}/system_info`, { json: { one: 1 } })).status).toBe(201);
    const again = await registry.call("POST", `${path}/system_info`, { json: { two: 2 } });
    expect([again.status, again.json()]).toMatchObject([409, { code: "conflicting_entity" }]);
    await registry.call("PUT", `/api/v1/mydevice/${uuid}/system_info`, { json: { three: 3 } });
    expect(await read()).toMatchObject({ three: 3 });
  });

  it("of more than 2 MiB is 413", async () => {
    const answer = await registry.call("PUT", `${path}/system_info`, { json: { a: "x".repeat(2_200_000) } });
    expect(answer.status).toBe(413);
  });
});

describe("network info", () => {
  it("is empty strings until the device sends it", async () => {
    const read = async () => (await registry.call("GET", `${path}/system_info/network`)).json();
    expect(await read()).toEqual({ local_ipv4: "", mac: "", hostname: "" });
    const json = { local_ipv4: "10.0.0.7", mac: "aa:bb", hostname: "car\0" };
    expect((await registry.call("PUT", `${path}/system_info/network`, { json })).status).toBe(204);
    expect(await read()).toEqual({ local_ipv4: "10.0.0.7", mac: "aa:bb", hostname: "car\ufffd" });
  });
});

describe("the client's configuration", () => {
  const post = (raw: string, type = "application/toml") =>
    registry.call("POST", `${path}/system_info/config`, { raw, type });

  it("is taken and stored nowhere", async () => {
    const toml = '[pacman]\ntype = "none"\n\n[uptane]\npolling_sec = 10\nforce_install_completion = 0\n';
    expect((await post(toml)).status).toBe(204);
  });

  it("without its sections is malformed_input", async () => {
    const refused = await post("nonsense");
    expect([refused.status, refused.json()]).toMatchObject([400, { code: "malformed_input" }]);
  });

  it("of another content type is 415", async () => {
    expect((await post("{}", "application/json")).status).toBe(415);
    expect((await post("x", "text/plain")).status).toBe(415);
  });
});

describe("packages", () => {
  const put = (json: unknown) => registry.call("PUT", `/api/v1/mydevice/${uuid}/packages`, { json });
  const list = async (query = "") =>
    (await registry.call("GET", `${path}/packages${query}`)).json() as {
      values: { packageId: { name: string; version: string }; lastModified: string }[];
      total: number;
    };

  it("are replaced as a whole; what stays keeps its time", async () => {
    expect(
      (
        await put([
          { name: "a", version: "1" },
          { name: "b", version: "1" },
          { name: "a", version: "1" },
        ])
      ).status,
    ).toBe(204);
    const [first] = (await list()).values;
    registry.clock.advance(60_000);
    await put([
      { name: "a", version: "1" },
      { name: "c%", version: "2" },
    ]);
    const { values, total } = await list();
    expect(values.map(({ packageId }) => packageId)).toEqual([
      { name: "a", version: "1" },
      { name: "c%", version: "2" },
    ]);
    expect(total).toBe(2);
    expect(values[0]?.lastModified).toBe(first?.lastModified);
    expect(values[1]?.lastModified).not.toBe(first?.lastModified);
    expect((await list("?nameContains=%25-2")).total).toBe(1);
    await put([]);
    expect((await list()).total).toBe(0);
  });

  it("may be 20,000, and not one more", async () => {
    const many = (count: number) =>
      Array.from({ length: count }, (_, index) => ({ name: `p${index}`, version: "1\0" }));
    expect((await put(many(20_000))).status).toBe(204);
    expect((await list("?limit=1")).total).toBe(20_000);
    expect((await put(many(20_001))).status).toBe(400);
    expect((await list("?limit=1")).total).toBe(20_000);
  });

  it("are counted over the namespace", async () => {
    await put([{ name: "shared", version: "1" }]);
    const other = await registry.addDevice();
    await registry.call("PUT", `/api/v1/mydevice/${other}/packages`, { json: [{ name: "shared", version: "1" }] });
    const versions = await registry.call("GET", "/api/v1/device_packages/shared");
    expect(versions.json()).toMatchObject({ values: [{ packageVersion: "1", installedCount: 2 }], total: 1 });
    const foreign = await registry.call("GET", "/api/v1/device_packages", { namespace: "other" });
    expect(foreign.json()).toMatchObject({ values: [], total: 0 });
  });
});

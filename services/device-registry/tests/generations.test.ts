import { randomUUID } from "node:crypto";
import { describe, expect, it } from "vitest";
import { createFixtures } from "./groups-fixtures.ts";
import { openRegistry } from "./harness.ts";

const registry = openRegistry();
const { form } = createFixtures(registry);

describe.each(["/api/v1", "/device-registry/api/v1"])("below %s", (base) => {
  const call = async (method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE", path: string, options = {}) => {
    const { status, body, json } = await registry.call(method, base + path, options);
    return [status, body === "" ? null : json()];
  };

  it("a device lives its whole life: provisioned, grouped, tagged, reported, hibernated, deleted", async () => {
    registry.namespace = randomUUID();
    const uuid = randomUUID();
    const device = { uuid, deviceName: "car", deviceId: "VIN", deviceType: "Vehicle", credentials: "PEM" };
    expect(await call("PUT", "/devices", { json: device })).toEqual([200, uuid]);
    const [, groupId] = await call("POST", "/device_groups", {
      json: { name: "red", groupType: "dynamic", expression: "tag(color) contains red" },
    });
    expect((await call("POST", "/device_tags", form("custom-device-fields", "DeviceID;color\nVIN;Red")))[0]).toBe(204);
    expect(await call("GET", `/devices/${uuid}/groups`)).toMatchObject([200, { values: [groupId] }]);
    expect((await call("PUT", `/mydevice/${uuid}/packages`, { json: [{ name: "app", version: "1" }] }))[0]).toBe(204);
    expect(await call("GET", "/device_count/app/1")).toEqual([200, { deviceCount: 1, groupIds: [groupId] }]);
    expect(await call("PUT", `/mydevice/${uuid}/system_info`, { json: { a: 1 } })).toEqual([200, {}]);
    const event = {
      id: "1",
      deviceTime: "2026-03-01T12:00:00Z",
      eventType: { id: "DownloadComplete", version: 0 },
      event: {},
    };
    expect((await call("POST", `/devices/${uuid}/events`, { json: [event] }))[0]).toBe(204);
    expect(await call("GET", `/devices/${uuid}/events`)).toMatchObject([200, [{ eventId: "1" }]]);
    expect(await call("POST", `/devices/${uuid}/hibernation`, { json: { status: true } })).toEqual([200, {}]);
    expect(await call("GET", `/mydevice/${uuid}`)).toMatchObject([200, { uuid, hibernated: true }]);
    expect(await call("DELETE", `/devices/${uuid}`)).toEqual([202, {}]);
    expect(await call("GET", `/device_groups/${groupId}/count`)).toEqual([200, 0]);
    expect(await call("GET", `/devices/${uuid}`)).toMatchObject([404, { code: "missing_device" }]);
  });
});

it("keeps the end points of one generation out of the other", async () => {
  for (const path of ["/api/v1/devices/list-network-info", "/api/v1/device_groups/membership"]) {
    const refused = await registry.call(path.endsWith("info") ? "POST" : "GET", path, {});
    expect(refused.status).toBeGreaterThanOrEqual(400);
  }
  const [a, b] = ["/api/v1", "/device-registry/api/v1"].map(
    (base) => `${base}/devices/count?expression=deviceid%20contains%20x`,
  );
  expect((await registry.call("GET", a ?? "")).json()).toBe(0);
  expect((await registry.call("GET", b ?? "")).json()).toMatchObject({ recent: expect.any(Number) });
});

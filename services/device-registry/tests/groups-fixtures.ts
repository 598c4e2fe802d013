import { randomUUID } from "node:crypto";
import type { Answer, CallOptions, Registry } from "./harness.ts";

const GROUPS = "/api/v1/device_groups";

/** What tests of groups and tags do over and over, in the registry's current namespace. */
export function createFixtures(registry: Registry) {
  async function made(answer: Promise<Answer>): Promise<string> {
    const { status, body, json } = await answer;
    if (status !== 201) throw new Error(`${status} ${body}`);
    return json() as string;
  }
  const form = (field: string, file: string): CallOptions => ({
    raw: `--limit\r\nContent-Disposition: form-data; name="${field}"; filename="f"\r\nContent-Type: text/csv\r\n\r\n${file}\r\n--limit--\r\n`,
    type: "multipart/form-data; boundary=limit",
  });
  return {
    form,
    /** @returns the uuid of a new device of this device id */
    add: (deviceId: string) =>
      made(
        registry.call("POST", "/api/v1/devices", {
          json: { deviceName: `${deviceId} ${randomUUID()}`, deviceId, deviceType: "Other" },
        }),
      ),
    group: (name: string) =>
      made(registry.call("POST", GROUPS, { json: { name, groupType: "static", expression: null } })),
    smart: (name: string, expression: string) =>
      made(registry.call("POST", GROUPS, { json: { name, groupType: "dynamic", expression } })),
    members: async (groupId: string) => {
      const page = await registry.call("GET", `${GROUPS}/${groupId}/devices?limit=1000`);
      return (page.json() as { values: string[] }).values;
    },
    importTags: (csv: string) => registry.call("POST", "/api/v1/device_tags", form("custom-device-fields", csv)),
  };
}

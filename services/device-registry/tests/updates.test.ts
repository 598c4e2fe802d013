import { beforeEach, describe, expect, it } from "vitest";
import {
  type DeviceUpdateEvent,
  recordDeviceSeen,
  recordEcuReplacements,
  recordUpdateEvent,
  recordUpdateEvents,
} from "#services/device-registry/service.ts";
import { CORRELATION, openRegistry, START } from "./harness.ts";

const registry = openRegistry();
let uuid: string;
beforeEach(async () => {
  uuid = await registry.addDevice();
  await registry.write((tx) => recordDeviceSeen(tx, registry.ctx, uuid, START));
});

const status = async () => (await registry.ctx.db.registryDevice.findUniqueOrThrow({ where: { uuid } })).status;
const base = () => ({ deviceUuid: uuid, correlationId: CORRELATION, at: START });
const completed = (success: boolean, change: Partial<DeviceUpdateEvent> = {}): DeviceUpdateEvent =>
  ({
    ...base(),
    kind: "Completed",
    result: { success, code: success ? "0" : "hw:INSTALL_FAILED", description: "what\0happened" },
    ecuReports: { primary: { result: { success, code: "OK", description: "" }, target: ["app_2"] } },
    rawReport: null,
    ...change,
  }) as DeviceUpdateEvent; // of the kind Completed whatever is changed
const tell = (event: DeviceUpdateEvent) => registry.write((tx) => recordUpdateEvent(tx, registry.ctx, event));
const page = async (what: string, query = "") =>
  (await registry.call("GET", `/api/v1/devices/${uuid}/${what}${query}`)).json() as { values: object[]; total: number };

describe("the status of a device", () => {
  it.each([
    ["Assigned", "Outdated"],
    ["InFlight", "UpdatePending"],
    ["Canceled", "UpToDate"],
  ] as const)("is, after %s, %s", async (kind, expected) => {
    await tell({ ...base(), kind });
    expect(await status()).toBe(expected);
  });

  it("is UpToDate after a success and Error after a failure", async () => {
    await tell(completed(false));
    expect(await status()).toBe("Error");
    await tell(completed(true));
    expect(await status()).toBe("UpToDate");
  });

  it("stays NotSeen without a contact", async () => {
    uuid = await registry.addDevice();
    await tell({ ...base(), kind: "Assigned" });
    expect(await status()).toBe("NotSeen");
  });

  it("is not moved by what comes after a success of the same correlation id", async () => {
    await tell(completed(true));
    for (const event of [completed(false), { ...base(), kind: "InFlight" } as const]) await tell(event);
    expect(await status()).toBe("UpToDate");
    expect(await page("installation_reports")).toMatchObject({ total: 1, values: [{ result: { success: true } }] });
  });

  it("counts several events of one call in their order", async () => {
    const events: DeviceUpdateEvent[] = [{ ...base(), kind: "Assigned" }, completed(true), completed(false)];
    await registry.write((tx) => recordUpdateEvents(tx, registry.ctx, events));
    expect(await status()).toBe("UpToDate");
  });
});

describe("installation reports", () => {
  it("have the contract's shape, and a later one for the same pair takes the place of a failed one", async () => {
    await tell(completed(false));
    await tell(completed(true));
    const { values, total } = await page("installation_reports");
    expect(total).toBe(1);
    expect(values[0]).toEqual({
      namespace: "default",
      eventTime: "2026-03-01T12:00:00Z",
      correlationId: CORRELATION,
      deviceUuid: uuid,
      result: { success: true, code: "0", description: "what\0happened" },
      ecuReports: {
        primary: { result: { success: true, code: "OK", description: "" }, target: ["app_2"], rawReport: null },
      },
      rawReport: null,
    });
  });

  it("stand in one history with ECU replacements, latest first, page by page", async () => {
    const at = (seconds: number) => new Date(START.getTime() + seconds * 1_000);
    await tell({ ...completed(true), at: at(1) });
    const former = { ecuId: "old\0", hardwareId: "hw" };
    await registry.write((tx) =>
      recordEcuReplacements(tx, registry.ctx, [
        { success: true, deviceUuid: uuid, at: at(2), former, current: { ecuId: "new", hardwareId: "hw" } },
        { success: false, deviceUuid: uuid, at: at(3) },
      ]),
    );
    const { values, total } = await page("installation_history");
    expect(total).toBe(3);
    expect(values).toMatchObject([
      { success: false, deviceUuid: uuid, eventTime: "2026-03-01T12:00:03Z" },
      { success: true, former: { ecuId: "old\ufffd" } },
      { correlationId: CORRELATION },
    ]);
    expect((await page("installation_history", "?offset=2&limit=1")).values).toMatchObject([
      { correlationId: CORRELATION },
    ]);
    expect(await status()).toBe("Error");
  });
});

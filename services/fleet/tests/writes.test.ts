import { randomUUID } from "node:crypto";
import { describe, expect, it } from "vitest";
import { SYSTEM } from "#lib/authz/actor.ts";
import type { DeviceProgress } from "#lib/domain/update-progress.ts";
import {
  getDevice,
  listActivity,
  listEligibilityFacts,
  recordActivity,
  recordContact,
  recordProgress,
  recordProgressMany,
  removeDevice,
  setCertificate,
  setEcusMany,
  setRegistrationRefusal,
  touchDevices,
  upsertDevice,
} from "#services/fleet/service.ts";
import { countStatements, ecu, giveEcus, image, openFleet, START } from "./harness.ts";

const fleet = openFleet();
const CORRELATION = "urn:here-ota:mtu:11111111-1111-4111-8111-111111111111";
const OTHER = "urn:here-ota:mtu:22222222-2222-4222-8222-222222222222";
const later = (seconds: number) => new Date(START.getTime() + seconds * 1_000);
const show = (uuid: string) => getDevice(fleet.ctx, SYSTEM, uuid);

async function steps(uuid: string, ...given: (Partial<DeviceProgress> & Pick<DeviceProgress, "kind">)[]) {
  for (const step of given) {
    const full = { deviceUuid: uuid, at: START, correlationId: CORRELATION, ...step };
    await fleet.write((tx) => recordProgress(tx, fleet.ctx.namespaceId, full));
  }
  return show(uuid);
}
const assign = (deviceUuid: string): DeviceProgress => ({
  deviceUuid,
  at: START,
  kind: "assigned",
  correlationId: CORRELATION,
});
async function addMany(count: number): Promise<string[]> {
  const rows = await fleet.ctx.db.$queryRaw<{ uuid: string }[]>`
    INSERT INTO fleet_device ("namespaceId", uuid, name, "deviceId", status, "statusAt")
    SELECT 'default', gen_random_uuid(), 'many', 'many', 'never_seen', now() FROM generate_series(1, ${count}::int) RETURNING uuid`;
  return rows.map((row) => row.uuid);
}
const story = async (uuid: string) =>
  (await listActivity(fleet.ctx, SYSTEM, { uuid, query: { limit: 200 } })).data.map((line) => line.text);
const events = () =>
  fleet.ctx.db.consoleEvent.findMany({ where: { topic: "device" }, orderBy: { id: "desc" }, take: 1 });

describe("a device's row", () => {
  it("begins as never seen", async () => {
    const device = await show(await fleet.addDevice({ name: "car 7", deviceId: "VIN7" }));
    expect(device).toMatchObject({ name: "car 7", deviceId: "VIN7", status: "never_seen", lastSeenAt: null, ecus: [] });
  });

  it("is renamed by a second write, which keeps what is known of it", async () => {
    const uuid = await fleet.addDevice();
    await steps(uuid, { kind: "assigned" });
    await fleet.write((tx) =>
      upsertDevice(tx, fleet.ctx.namespaceId, {
        uuid,
        name: "new",
        deviceId: "d-new",
        createdAt: later(9),
        simulated: true,
      }),
    );
    expect(await show(uuid)).toMatchObject({
      name: "new",
      status: "assigned",
      simulated: true,
      createdAt: START.toISOString(),
    });
  });

  it("goes with its story when it is removed, and nothing is written about it after", async () => {
    const uuid = await fleet.addDevice();
    await steps(uuid, { kind: "assigned" });
    await fleet.write((tx) => removeDevice(tx, fleet.ctx.namespaceId, uuid));
    await fleet.write(async (tx) => {
      const gone = { deviceUuid: uuid, at: START, correlationId: CORRELATION, kind: "installing" } as const;
      await recordProgress(tx, fleet.ctx.namespaceId, gone);
      await recordActivity(tx, fleet.ctx.namespaceId, { deviceUuid: uuid, at: START, kind: "change", text: "late" });
    });
    expect(await fleet.ctx.db.fleetDevice.count({ where: { uuid } })).toBe(0);
    expect(await fleet.ctx.db.fleetActivity.count({ where: { deviceUuid: uuid } })).toBe(0);
  });

  it("tells open pages which device changed, and many at once as one event", async () => {
    const uuid = await fleet.addDevice();
    expect((await events())[0]?.subjectId).toBe(uuid);
    const other = await fleet.addDevice();
    await fleet.write((tx) => recordProgressMany(tx, fleet.ctx.namespaceId, [uuid, other].map(assign)));
    expect((await events())[0]?.subjectId).toBe("");
  });
});

describe("progress", () => {
  it("that is looked up again and again is told once, and never after the end", async () => {
    const uuid = await fleet.addDevice();
    const again = { kind: "installing", isReadAgain: true } as const;
    for (const step of [{ kind: "assigned" } as const, again, again]) await steps(uuid, step);
    await steps(uuid, { kind: "updated", at: later(60) });
    await steps(uuid, { ...again, at: later(61) });
    const told = await fleet.ctx.db.fleetActivity.findMany({ where: { deviceUuid: uuid }, orderBy: { at: "asc" } });
    expect(told.map(({ kind }) => kind).sort()).toEqual(["assignment", "install", "report"]);
  });

  it("walks the whole path to updated", async () => {
    const uuid = await fleet.addDevice();
    expect((await steps(uuid, { kind: "assigned" })).status).toBe("assigned");
    expect((await steps(uuid, { kind: "seen_assignment", at: later(5) })).why.summary).toContain("fetched the update");
    expect((await steps(uuid, { kind: "downloading" })).status).toBe("downloading");
    expect((await steps(uuid, { kind: "installing" })).status).toBe("installing");
    expect((await steps(uuid, { kind: "rebooting" })).status).toBe("rebooting");
    const updated = await steps(uuid, { kind: "updated", at: later(60) });
    expect(updated).toMatchObject({
      status: "up_to_date",
      correlationId: null,
      lastManifestAt: later(60).toISOString(),
    });
    expect(await story(uuid)).toHaveLength(6);
  });

  it.each([
    ["installing", "downloading"],
    ["rebooting", "installing"],
    ["downloading", "seen_assignment"],
    ["downloading", "assigned"],
  ] as const)("never goes back from %s to %s of the same assignment", async (first, late) => {
    const uuid = await fleet.addDevice();
    const before = await steps(uuid, { kind: "assigned" }, { kind: first });
    expect((await steps(uuid, { kind: late, at: later(10) })).status).toBe(before.status);
  });

  it("ignores a late event of an assignment that has ended", async () => {
    const uuid = await fleet.addDevice();
    const device = await steps(uuid, { kind: "assigned" }, { kind: "updated" }, { kind: "downloading" });
    expect(device.status).toBe("up_to_date");
  });

  it("ignores events of another correlation id than the one assigned", async () => {
    const uuid = await fleet.addDevice();
    for (const kind of ["downloading", "updated", "failed", "cancelled", "may_still_install"] as const) {
      const device = await steps(uuid, { kind: "assigned" }, { kind, correlationId: OTHER });
      expect(device).toMatchObject({ status: "assigned", correlationId: CORRELATION });
    }
  });

  it("keeps the cause of a failure until the next success", async () => {
    const uuid = await fleet.addDevice();
    const failed = await steps(
      uuid,
      { kind: "assigned" },
      { kind: "failed", code: "hw:INSTALL_FAILED", text: "disk full" },
    );
    expect(failed).toMatchObject({
      status: "failed",
      statusReason: "hw:INSTALL_FAILED: disk full",
      correlationId: null,
    });
    expect(failed.why.summary).toContain("disk full");
    const again = await steps(
      uuid,
      { kind: "assigned", correlationId: OTHER },
      { kind: "updated", correlationId: OTHER },
    );
    expect(again).toMatchObject({ status: "up_to_date", statusReason: null });
  });

  it("lets the device's own code replace the director's for the same failure", async () => {
    const uuid = await fleet.addDevice();
    const device = await steps(
      uuid,
      { kind: "assigned" },
      { kind: "failed", code: "101" },
      { kind: "failed", code: "DOWNLOAD_FAILED", correlationId: OTHER },
    );
    expect(device.statusReason).toBe("DOWNLOAD_FAILED");
  });

  it("returns to never seen when the assignment of a device without contact is cancelled", async () => {
    const uuid = await fleet.addDevice();
    expect((await steps(uuid, { kind: "assigned" }, { kind: "cancelled" })).status).toBe("never_seen");
  });

  it("says that a device may still install, until its next manifest", async () => {
    const uuid = await fleet.addDevice();
    const open = await steps(uuid, { kind: "assigned" }, { kind: "seen_assignment" }, { kind: "may_still_install" });
    expect(open).toMatchObject({ status: "unknown" });
    expect(open.why.summary).toContain("may still install");
    const settled = await steps(uuid, { kind: "idle", correlationId: null, at: later(30) });
    expect(settled).toMatchObject({ status: "up_to_date", correlationId: null });
    expect(settled.why.summary).not.toContain("may still install");
  });

  it("is not ended by a manifest that concludes nothing", async () => {
    const uuid = await fleet.addDevice();
    const device = await steps(uuid, { kind: "assigned" }, { kind: "idle", correlationId: null, at: later(30) });
    expect(device).toMatchObject({ status: "assigned", lastManifestAt: later(30).toISOString() });
  });

  it("survives NUL, half surrogate pairs and any length in what a device says", async () => {
    const uuid = await fleet.addDevice();
    const text = `\0 \ud800 ${"x".repeat(10_000)}`;
    await steps(uuid, { kind: "assigned", filenames: [text] }, { kind: "failed", code: text, text });
    await giveEcus(fleet, uuid, [
      ecu({ serial: text, hardwareId: text, installed: image(text), assigned: image(text) }),
    ]);
    const device = await show(uuid);
    expect(device.ecus[0]?.installed?.filename.startsWith("\ufffd \ufffd x")).toBe(true);
    expect(device.status).toBe("failed");
  });

  it("moves a thousand devices with as many statements as two", async () => {
    const uuids = await addMany(1_000);
    const statements = async (devices: string[]) => {
      const counted = { statements: 0 };
      await fleet.write(async (tx) => {
        const watched = countStatements(tx, counted);
        const ecus = [ecu({ assigned: image("v2") })];
        await setEcusMany(
          watched,
          fleet.ctx.namespaceId,
          devices.map((uuid) => ({ uuid, ecus })),
        );
        await recordProgressMany(watched, fleet.ctx.namespaceId, devices.map(assign));
      });
      return counted.statements;
    };
    expect(await statements(uuids.slice(2))).toBe(await statements(uuids.slice(0, 2)));
    const facts = await listEligibilityFacts(fleet.ctx.db, fleet.ctx.namespaceId, [...uuids, randomUUID()]);
    expect(facts.size).toBe(1_000);
    expect([...facts.values()].every(({ ecus }) => ecus[0]?.assigned?.filename === "v2")).toBe(true);
  });

  it("does not deadlock when two transactions move the same devices in opposite order", async () => {
    const uuids = await addMany(40);
    const move = (devices: string[]) =>
      fleet.write((tx) => recordProgressMany(tx, fleet.ctx.namespaceId, devices.map(assign)));
    const turns = Array.from({ length: 8 }, (_, turn) => move(turn % 2 === 0 ? uuids : uuids.toReversed()));
    await expect(Promise.all(turns)).resolves.toHaveLength(8);
  });
});

describe("the story", () => {
  it("keeps the last 500 lines of a device", async () => {
    const uuid = await fleet.addDevice();
    const kept = await fleet.addDevice();
    const line = (deviceUuid: string, index: number) =>
      ({ deviceUuid, at: later(index), kind: "change", text: `line ${index}` }) as const;
    await fleet.write((tx) => recordActivity(tx, fleet.ctx.namespaceId, line(kept, 0)));
    for (let index = 0; index < 510; index += 1)
      await fleet.write((tx) => recordActivity(tx, fleet.ctx.namespaceId, line(uuid, index)));
    expect(await fleet.ctx.db.fleetActivity.count({ where: { deviceUuid: uuid } })).toBe(500);
    expect((await story(uuid))[0]).toBe("line 509");
    expect(await story(kept)).toEqual(["line 0"]);
  });
});

describe("contacts", () => {
  it("go forward only, in one statement for many", async () => {
    const [one, two] = [await fleet.addDevice(), await fleet.addDevice()];
    const touch = (uuid: string, seconds: number, address: string) => ({ uuid, at: later(seconds), address });
    await touchDevices(fleet.ctx.db, fleet.ctx.namespaceId, [
      touch(one, 5, "10.0.0.5"),
      touch(two, 1, "10.0.0.1"),
      touch(one, 9, "10.0.0.9"),
    ]);
    await touchDevices(fleet.ctx.db, fleet.ctx.namespaceId, [touch(one, 7, "10.0.0.7"), touch(randomUUID(), 1, "x")]);
    expect(await show(one)).toMatchObject({
      lastSeenAt: later(9).toISOString(),
      address: "10.0.0.9",
      status: "never_seen",
    });
    expect(await show(two)).toMatchObject({ lastSeenAt: later(1).toISOString(), address: "10.0.0.1" });
  });

  it("make a device that was never seen up to date at its first root, once", async () => {
    const uuid = await fleet.addDevice();
    const contact = (seconds: number) =>
      fleet.write((tx) => recordContact(tx, fleet.ctx.namespaceId, uuid, later(seconds)));
    await contact(5);
    await contact(9);
    await contact(7);
    expect(await show(uuid)).toMatchObject({
      status: "up_to_date",
      statusAt: later(5).toISOString(),
      lastSeenAt: later(9).toISOString(),
    });
    expect(await story(uuid)).toEqual(["First contact."]);
  });

  it("leave the status of a device with an assignment alone", async () => {
    const uuid = await fleet.addDevice();
    await steps(uuid, { kind: "assigned" });
    await fleet.write((tx) => recordContact(tx, fleet.ctx.namespaceId, uuid, later(5)));
    expect((await show(uuid)).status).toBe("assigned");
  });
});

describe("a certificate", () => {
  const decide = (
    uuid: string,
    fingerprint: string,
    state: "allowed" | "pending" | "revoked",
    notAfter = later(86_400),
  ) =>
    fleet.write((tx) => setCertificate(tx, fleet.ctx.namespaceId, { deviceUuid: uuid, fingerprint, state, notAfter }));
  const [one, two] = ["1".repeat(64), "2".repeat(64)];

  it("that is allowed is not hidden by another one that waits", async () => {
    const uuid = await fleet.addDevice();
    await decide(uuid, one, "allowed");
    await decide(uuid, two, "pending");
    expect((await show(uuid)).certificate).toMatchObject({ fingerprint: one, state: "allowed" });
    await decide(uuid, one, "revoked");
    expect((await show(uuid)).certificate).toMatchObject({ fingerprint: one, state: "revoked" });
    await decide(uuid, two, "allowed");
    expect((await show(uuid)).certificate).toMatchObject({ fingerprint: two, state: "allowed" });
  });

  it("is expired once its time is over, without anybody writing so", async () => {
    const uuid = await fleet.addDevice();
    await decide(uuid, one, "allowed", later(-1));
    expect((await show(uuid)).certificate?.state).toBe("expired");
    const facts = await listEligibilityFacts(fleet.ctx.db, fleet.ctx.namespaceId, [uuid]);
    expect(facts.get(uuid)?.certificateState).toBe("expired");
  });

  it("of a device without a row is no error", async () => {
    await expect(decide(randomUUID(), one, "allowed")).resolves.toBeUndefined();
  });
});

describe("a refused ECU registration", () => {
  it("is the reason shown until one is accepted", async () => {
    const uuid = await fleet.addDevice();
    const refuse = (code: string | null) =>
      fleet.write((tx) => setRegistrationRefusal(tx, fleet.ctx.namespaceId, uuid, code));
    await refuse("ecu_reuse_not_allowed");
    expect((await show(uuid)).why.summary).toContain("registration is refused");
    await refuse(null);
    expect((await show(uuid)).why.summary).not.toContain("refused");
  });
});

import { randomUUID } from "node:crypto";
import { beforeAll, describe, expect, it } from "vitest";
import { SYSTEM } from "#lib/authz/actor.ts";
import { encodeCursor } from "#lib/contracts/console/common.ts";
import { DEVICE_SORTS, type Device, ListDevices } from "#lib/contracts/console/devices.ts";
import { Prisma } from "#lib/db/generated/client.ts";
import {
  countFleet,
  getDevice,
  getFacets,
  listActivity,
  listDevices,
  recordActivity,
} from "#services/fleet/service.ts";
import { matching } from "#services/fleet/store-filter.ts";
import { withValue } from "#services/fleet/store-read.ts";
import { openFleet, START } from "./harness.ts";

const fleet = openFleet();
const ROWS = 2_000;
const query = (given: object = {}) => ListDevices.parse(given);
const list = (given: object = {}) => listDevices(fleet.ctx, SYSTEM, query(given));
const facets = (given: object = {}) => getFacets(fleet.ctx, SYSTEM, query(given));

/** Repeated values in every sorted column, and a fifth of the rows without one where that can be. */
beforeAll(async () => {
  await fleet.ctx.db.$executeRaw`
    INSERT INTO fleet_device ("namespaceId", uuid, name, "deviceId", status, "statusAt", "createdAt", "hardwareIds",
      "primaryHardwareId", "installedFilenames", "primaryImage", "assignedFilenames", "certificateFingerprint", "certificateState",
      "certificateNotAfter", "lastSeenAt", simulated, ecus, "menderStatus")
    SELECT CASE WHEN n > ${ROWS} THEN 'other' ELSE 'default' END, gen_random_uuid(), 'Car ' || (n % 500), 'VIN' || n,
      (ARRAY['never_seen', 'up_to_date', 'failed', 'assigned'])[1 + n % 4], ${START}::timestamptz,
      ${START}::timestamptz - (n % 100) * interval '1 minute',
      CASE WHEN n % 5 = 0 THEN '{}' ELSE ARRAY['hw' || (n % 3), 'second'] END,
      CASE WHEN n % 5 = 0 THEN NULL ELSE 'hw' || (n % 3) END,
      CASE WHEN n % 5 = 0 THEN '{}' ELSE ARRAY['app_' || (n % 7)] END,
      CASE WHEN n % 5 = 0 THEN NULL ELSE 'app_' || (n % 7) END, '{}',
      CASE WHEN n % 5 = 0 THEN NULL ELSE md5(n::text) || md5(n::text) END,
      CASE WHEN n % 5 = 0 THEN NULL ELSE 'allowed' END,
      CASE WHEN n % 5 = 0 THEN NULL ELSE ${START}::timestamptz + (n % 50 - 10) * interval '1 day' END,
      CASE WHEN n % 5 = 0 THEN NULL ELSE ${START}::timestamptz - (n % 90) * interval '1 minute' END,
      n % 10 = 0, '[]', CASE n % 6 WHEN 4 THEN 'accepted' WHEN 1 THEN 'pending' END
    FROM generate_series(1, ${ROWS + 50}) AS n`;
  await fleet.ctx.db.$executeRaw`ANALYZE fleet_device`;
});

async function walk(
  given: object,
  between: (page: number) => Promise<unknown> = async () => undefined,
): Promise<Device[]> {
  const devices: Device[] = [];
  let cursor: string | undefined;
  for (let page = 0; ; page += 1) {
    const { data, nextCursor } = await list({ ...given, limit: 200, ...(cursor === undefined ? {} : { cursor }) });
    devices.push(...data);
    if (nextCursor === null) return devices;
    cursor = nextCursor;
    await between(page);
  }
}

describe("walking all pages", () => {
  it.each(DEVICE_SORTS)("sorted by %s, gives each row once, while rows come, go and change", async (sort) => {
    const before = await fleet.ctx.db.fleetDevice.findMany({
      where: { namespaceId: "default" },
      select: { uuid: true },
    });
    const doomed = new Set<string>();
    const seen = await walk({ sort }, async (page) => {
      if (page % 3 !== 0) return;
      await fleet.addDevice({ name: `new ${page} ${randomUUID()}`, namespaceId: "default" });
      const gone = before[page * 100]?.uuid ?? "";
      doomed.add(gone);
      await fleet.ctx.db.$executeRaw`DELETE FROM fleet_device WHERE uuid::text = ${gone}`;
      await fleet.ctx.db.$executeRaw`
        UPDATE fleet_device SET address = ${`10.0.0.${page}`} WHERE "namespaceId" = 'default' AND random() < 0.1`;
    });
    const uuids = seen.map(({ uuid }) => uuid);
    expect(new Set(uuids).size).toBe(uuids.length);
    const walked = new Set(uuids);
    expect(before.filter(({ uuid }) => !walked.has(uuid) && !doomed.has(uuid))).toEqual([]);
  });

  it.each([
    ["lastSeenAt", (device: Device) => device.lastSeenAt],
    ["hardware", (device: Device) => device.hardwareIds[0] ?? null],
    ["certificate", (device: Device) => device.certificate?.notAfter ?? null],
  ] as const)("sorted by %s, puts rows without a value last in both directions", async (sort, sortedBy) => {
    for (const direction of ["", "-"]) {
      const values = (await walk({ sort: `${direction}${sort}` })).map(sortedBy);
      const firstWithout = values.indexOf(null);
      expect(firstWithout).toBeGreaterThan(0);
      expect(values.slice(firstWithout).every((value) => value === null)).toBe(true);
    }
  });

  it("keeps the order of the values, equal ones by uuid", async () => {
    const rows = (await walk({ sort: "-lastSeenAt" })).filter(({ lastSeenAt }) => lastSeenAt !== null);
    const keys = rows.map(({ lastSeenAt, uuid }) => `${lastSeenAt} ${uuid}`);
    expect(keys).toEqual(keys.toSorted().reverse());
  });
});

describe("a filter", () => {
  it("holds on every page and its total is the number of rows", async () => {
    const filter = { status: "failed", hardware: "hw1", q: "car" };
    const found = await walk(filter);
    expect(found.every(({ status, hardwareIds }) => status === "failed" && hardwareIds.includes("hw1"))).toBe(true);
    expect(await list(filter)).toMatchObject({ total: found.length, totalIsExact: true });
  });

  it("finds by name, device id and the beginning of the uuid, in any case", async () => {
    const uuid = await fleet.addDevice({ name: "Grüße 100%_\\ Auto", deviceId: "Special-ID" });
    for (const q of ["grüße", "100%_\\", "special-id", uuid.slice(0, 8), uuid.toUpperCase()]) {
      expect((await list({ q })).data.map((device) => device.uuid)).toContain(uuid);
    }
  });

  it("takes %, _ and backslash for themselves", async () => {
    for (const q of ["C_r", "%ar", "\\ar"]) expect((await list({ q })).total).toBe(0);
  });

  it.each([{ q: "\0" }, { q: "\ud800" }, { image: "\0" }, { hardware: "\0,\ud800" }])(
    "with text that no row can hold finds nothing: %j",
    async (filter) => {
      expect(await list(filter)).toMatchObject({ data: [], total: 0 });
    },
  );

  it("knows an expired certificate, which no row says", async () => {
    const expired = await walk({ certificate: "expired" });
    expect(expired.length).toBeGreaterThan(0);
    expect(expired.every(({ certificate }) => certificate?.state === "expired")).toBe(true);
    const allowed = await walk({ certificate: "allowed" });
    expect(allowed.every(({ certificate }) => certificate?.state === "allowed")).toBe(true);
  });

  it("by the state at the Mender server finds those that it has, alone or with others", async () => {
    const totals = await Promise.all(
      ["pending", "accepted", "pending,accepted", "rejected"].map(async (mender) => (await list({ mender })).total),
    );
    const [pending = 0, accepted = 0, both, rejected] = totals;
    expect(Math.min(pending, accepted)).toBeGreaterThan(0);
    expect([both, rejected]).toEqual([pending + accepted, 0]);
    expect(await walk({ mender: "pending", status: "failed" })).toEqual([]);
  });

  it("by image and simulation combines", async () => {
    const found = await walk({ image: "app_3", simulated: "false" });
    expect(found.length).toBeGreaterThan(0);
    expect(found.every(({ simulated }) => !simulated)).toBe(true);
  });
});

describe("facets", () => {
  it("count what choosing them shows, each without its own dimension", async () => {
    const filter = { status: "failed", hardware: "hw1" };
    const { status, certificate, hardware, mender } = await facets(filter);
    for (const { value, count } of status)
      expect([value, (await list({ ...filter, status: value })).total]).toEqual([value, count]);
    for (const { value, count } of hardware)
      expect([value, (await list({ ...filter, hardware: value })).total]).toEqual([value, count]);
    for (const { value, count } of certificate)
      expect([value, (await list({ ...filter, certificate: value })).total]).toEqual([value, count]);
    for (const { value, count } of mender)
      expect([value, (await list({ ...filter, mender: value })).total]).toEqual([value, count]);
    expect(mender.length).toBeGreaterThan(0);
    expect(status.length).toBeGreaterThan(1);
    expect(hardware.length).toBeGreaterThan(1);
  });
});

describe("a cursor", () => {
  it.each([
    "nonsense",
    encodeCursor(["x"]),
    encodeCursor(["name", "a", "no uuid"]),
    encodeCursor(["-name", "a", randomUUID()]),
  ])("that this list and sort did not give (%s) is refused", async (cursor) => {
    await expect(list({ cursor })).rejects.toMatchObject({ code: "request.invalid" });
  });

  it("with a time that is none is refused", async () => {
    const cursor = encodeCursor(["lastSeenAt", "yesterday'", randomUUID()]);
    await expect(list({ sort: "lastSeenAt", cursor })).rejects.toMatchObject({ code: "request.invalid" });
  });
});

describe("another namespace", () => {
  it("is not seen in lists, facets or counts, and its device is not found", async () => {
    const uuid = await fleet.addDevice({ name: "foreign", namespaceId: "other" });
    await expect(getDevice(fleet.ctx, SYSTEM, uuid)).rejects.toMatchObject({ code: "device.not_found" });
    const activity = listActivity(fleet.ctx, SYSTEM, { uuid, query: { limit: 50 } });
    await expect(activity).rejects.toMatchObject({ code: "device.not_found" });
    expect((await list({ q: "foreign" })).total).toBe(0);
    const theirs = await listDevices({ ...fleet.ctx, namespaceId: "other" }, SYSTEM, query());
    expect(theirs.total).toBe(51);
  });
});

describe("the fleet in numbers", () => {
  it("has parts that sum to the whole, and numbers that the list shows", async () => {
    const counts = await countFleet(fleet.ctx, SYSTEM);
    expect(counts.byStatus.reduce((sum, { count }) => sum + count, 0)).toBe(counts.total);
    expect((await list()).total).toBe(counts.total);
    expect((await list({ status: "failed" })).total).toBe(counts.failing.count);
    expect((await list({ certificate: "expired" })).total).toBe(counts.expired);
  });
});

describe("the story", () => {
  it("is paged newest first", async () => {
    const uuid = await fleet.addDevice();
    for (let index = 0; index < 5; index += 1) {
      const line = { deviceUuid: uuid, at: START, kind: "change", text: `line ${index}`, detail: { index } } as const;
      await fleet.write((tx) => recordActivity(tx, "default", line));
    }
    const first = await listActivity(fleet.ctx, SYSTEM, { uuid, query: { limit: 3 } });
    const second = await listActivity(fleet.ctx, SYSTEM, { uuid, query: { limit: 3, cursor: first.nextCursor ?? "" } });
    expect([...first.data, ...second.data].map(({ text }) => text)).toEqual([
      "line 4",
      "line 3",
      "line 2",
      "line 1",
      "line 0",
    ]);
    expect(second.nextCursor).toBeNull();
    expect(first.total).toBe(5);
  });
});

describe("the cost of a page", () => {
  it.each(DEVICE_SORTS)("sorted by %s is an index read, not a sort of the fleet", async (sort) => {
    const parsed = query({ sort });
    const page = withValue(matching("default", parsed, { now: START }), { query: parsed, after: null, wanted: 51 });
    const plan = await fleet.ctx.db.$queryRaw<Record<string, string>[]>(Prisma.sql`EXPLAIN ${page}`);
    const text = plan.map((row) => Object.values(row)[0]).join("\n");
    expect(text).toContain("Index Scan");
    expect(text).not.toContain("Sort Key");
  });

  it("stops counting at 10,000 and says so", async () => {
    await fleet.ctx.db.$executeRaw`
      INSERT INTO fleet_device ("namespaceId", uuid, name, "deviceId", status, "statusAt")
      SELECT 'large', gen_random_uuid(), 'n' || n, 'd' || n, 'up_to_date', now() FROM generate_series(1, 10001) AS n`;
    const large = await listDevices({ ...fleet.ctx, namespaceId: "large" }, SYSTEM, query());
    expect(large).toMatchObject({ total: 10_000, totalIsExact: false });
    const fewer = await listDevices({ ...fleet.ctx, namespaceId: "large" }, SYSTEM, query({ q: "n1000" }));
    expect(fewer).toMatchObject({ total: 3, totalIsExact: true });
  });
});

import { randomUUID } from "node:crypto";
import { beforeEach, describe, expect, it } from "vitest";
import { type ExpiringDevice, type ExpirySelection, ListExpiring } from "#lib/contracts/console/posture.ts";
import { expiryBuckets } from "#lib/domain/expiry-buckets.ts";
import { getForecast, listExpiringDevices } from "#services/posture/service.ts";
import { actorOf, expectRefusal } from "#tests/harness/identity.ts";
import { openPosture, START } from "./harness.ts";

const support = actorOf("support");
const world = openPosture();

beforeEach(() => {
  world.ctx = { ...world.ctx, namespaceId: `ns-${randomUUID()}` };
});

async function walk(selection: ExpirySelection, limit = 2): Promise<ExpiringDevice[]> {
  const all: ExpiringDevice[] = [];
  let cursor: string | undefined;
  do {
    const query = ListExpiring.parse({ ...selection, limit, cursor });
    const page = await listExpiringDevices(world.ctx, support, query);
    all.push(...page.data);
    if (page.nextCursor === null) expect(all).toHaveLength(page.total);
    cursor = page.nextCursor ?? undefined;
  } while (cursor !== undefined);
  return all;
}

/** Of each class of last sight some, at different ends. */
const SEEN_DAYS_AGO = [0, 0.5, 3, 20, 31, 400, null] as const;
const ENDS_IN_DAYS = [-3, 0.2, 2, 6, 27, 28, 90, 200, 330, 900] as const;

describe("the forecast", () => {
  it("covers the time from now on without gap or overlap, by weeks and by months", () => {
    const { weeks, months, later } = expiryBuckets(START);
    for (const spans of [weeks, months]) {
      expect(spans[0]?.from).toEqual(START);
      for (const [index, { until }] of spans.slice(0, -1).entries()) expect(spans[index + 1]?.from).toEqual(until);
    }
    expect(weeks.slice(1).every(({ from }) => from?.getUTCDay() === 1 && from.getUTCHours() === 0)).toBe(true);
    expect(weeks[1]?.from?.toISOString()).toBe("2026-03-09T00:00:00.000Z");
    expect([weeks.length, months.length, later.from?.toISOString()]).toEqual([26, 12, "2027-03-01T00:00:00.000Z"]);
  });

  it("has numbers that are exactly the rows of their list, by end and by last sight", async () => {
    const fleet = SEEN_DAYS_AGO.flatMap((seenDaysAgo) =>
      ENDS_IN_DAYS.map((endsInDays) => ({ seenDaysAgo, endsInDays })),
    );
    await Promise.all(fleet.map(world.plant));
    const forecast = await getForecast(world.ctx, support, {});
    const buckets = [forecast.expired, ...forecast.weeks, ...forecast.months, forecast.later];
    expect(forecast.expired.total + (forecast.months.at(-1)?.soFar.total ?? 0) + forecast.later.total).toBe(70);
    expect(forecast.weeks[0]?.seen).toEqual({ day: 4, week: 2, month: 2, silent: 4, never: 2 });
    for (const { from, until, total, seen } of buckets.filter((bucket) => bucket.total > 0)) {
      const bounds = { ...(from === null ? {} : { from }), ...(until === null ? {} : { until }) };
      const rows = await walk(bounds, 200);
      expect(rows).toHaveLength(total);
      for (const name of ["day", "silent", "never"] as const) {
        expect(await walk({ ...bounds, seen: [name] }, 200)).toHaveLength(seen[name]);
      }
    }
    const walked = await walk({ from: forecast.at }, 9);
    expect(new Set(walked.map(({ fingerprint }) => fingerprint)).size).toBe(63);
    expect(walked.map(({ notAfter }) => notAfter)).toEqual(walked.map(({ notAfter }) => notAfter).sort());
    expect(forecast.months[3]?.sentence).toBe("Of 42 expiring by 30 June 2026, 18 have not been online for 30 days.");
  });

  it.each([
    ["one that waits", { state: "pending" }],
    ["a revoked one", { state: "revoked" }],
    ["one in its grace, as another has its place", { graceUntil: new Date("2026-03-08") }],
    ["a renewal that was not used yet", { renewalOf: "a".repeat(64), admittedAt: null }],
    ["a canary", { canary: true }],
  ])("leaves out %s", async (_what, certificate) => {
    await world.plant({ certificate });
    const inUse = await world.plant({ certificate: { renewalOf: "b".repeat(64) } });
    expect((await walk({})).map(({ fingerprint }) => fingerprint)).toEqual([inUse.fingerprint]);
    expect((await getForecast(world.ctx, support, {})).months.at(-1)?.soFar.total).toBe(1);
  });

  it("counts simulated devices apart, finds by name, and sees nothing of another namespace", async () => {
    await world.plant({ name: "100% truck" });
    await world.plant({ certificate: { simulated: true } });
    const counts = async (simulated?: "true" | "false") =>
      (await getForecast(world.ctx, support, { simulated })).months.at(-1)?.soFar.total;
    expect([await counts(), await counts("true"), await counts("false")]).toEqual([2, 1, 1]);
    const found = async (q: string) => (await listExpiringDevices(world.ctx, support, ListExpiring.parse({ q }))).total;
    expect([await found("100% TRUCK"), await found("100_ truck")]).toEqual([1, 0]);
    const elsewhere = { ...world.ctx, namespaceId: "elsewhere" };
    expect((await listExpiringDevices(elsewhere, support, ListExpiring.parse({}))).total).toBe(0);
  });

  it("refuses cursors that it did not give out", async () => {
    for (const cursor of ["x", Buffer.from('["2026","zz"]').toString("base64url")]) {
      await expectRefusal(listExpiringDevices(world.ctx, support, ListExpiring.parse({ cursor })), "request.invalid");
    }
  });
});

import { randomUUID } from "node:crypto";
import { beforeEach, describe, expect, it } from "vitest";
import { ListNotices, type Notice } from "#lib/contracts/console/notices.ts";
import { acknowledgeNotice, createRenewalCampaign, listNotices, refreshNotices } from "#services/posture/service.ts";
import { actorOf, auditStory, expectRefusal } from "#tests/harness/identity.ts";
import { addAuthority, openPosture } from "./harness.ts";

const admin = actorOf("admin");
const support = actorOf("support");
const world = openPosture();

beforeEach(() => {
  world.ctx = { ...world.ctx, namespaceId: `ns-${randomUUID()}` };
});

const query = (change: Partial<ListNotices> = {}) => ListNotices.parse(change);

/** What is told now, newest words. */
async function told(state: ListNotices["state"] = "open"): Promise<Notice[]> {
  await refreshNotices(world.ctx);
  return (await listNotices(world.ctx, support, query({ state }))).data;
}

const countEvents = () => world.ctx.db.consoleEvent.count({ where: { namespaceId: world.ctx.namespaceId } });

describe("notices", () => {
  it("are none for a sound fleet", async () => {
    await addAuthority(world, {});
    await world.plant();
    expect(await told()).toEqual([]);
    expect(await countEvents()).toBe(0);
  });

  it.each([
    [0.1, "bad"],
    [5, "bad"],
    [12, "warn"],
    [29, "warn"],
  ])("tell of a certificate that ends in %s days, once, until it is renewed", async (endsInDays, tone) => {
    const { uuid } = await world.plant({ endsInDays });
    await world.plant({ endsInDays: 40 });
    await world.plant({ endsInDays, certificate: { simulated: true } });
    const [first, ...others] = await told();
    expect([first?.kind, first?.tone, others]).toEqual(["certificates_expiring", tone, []]);
    const events = await countEvents();
    expect([await told(), await countEvents()]).toEqual([[first], events]);
    await world.ctx.db.deviceCertificate.updateMany({
      where: { deviceUuid: uuid },
      data: { notAfter: world.day(300) },
    });
    expect(await told()).toEqual([]);
    expect(await told("settled")).toMatchObject([{ id: first?.id, settledAt: world.clock.now.toISOString() }]);
  });

  it("tell anew of what became true again", async () => {
    const { uuid } = await world.plant({ certificate: { keyType: "RSA-2048" } });
    const set = (keyType: string) =>
      world.ctx.db.deviceCertificate.updateMany({ where: { deviceUuid: uuid }, data: { keyType } });
    const [first] = await told();
    expect(first).toMatchObject({ kind: "posture", tone: "warn", href: "/trust/posture/weak_key" });
    await set("P-256");
    expect(await told()).toEqual([]);
    world.clock.advance(60_000);
    await set("RSA-2048");
    expect(await told()).toMatchObject([{ id: first?.id, at: world.clock.now.toISOString() }]);
  });

  it.each([
    [85, "90", "warn"],
    [25, "30", "bad"],
    [-1, "0", "bad"],
  ])(
    "tell of an authority that ends in %s days, at its nearest threshold alone",
    async (endsInDays, threshold, tone) => {
      const id = await addAuthority(world, { endsInDays });
      await addAuthority(world, { endsInDays, state: "revoked" });
      expect(await told()).toMatchObject([{ kind: "authority_expiring", tone, href: `/trust/authorities/${id}` }]);
      expect(await world.ctx.db.notice.findMany({ where: { namespaceId: world.ctx.namespaceId } })).toMatchObject([
        { threshold },
      ]);
    },
  );

  it("tell of requests older than a day, and of campaigns past their day", async () => {
    await world.plant({ certificate: { state: "pending", createdAt: world.day(-2) } });
    await world.plant({ certificate: { state: "pending", createdAt: world.day(-0.5) } });
    expect((await told()).map(({ kind }) => kind)).toEqual(["waiting_long"]);
    await world.plant({ endsInDays: 90 });
    const dueAt = world.day(1).toISOString();
    const { id } = await createRenewalCampaign(world.ctx, admin, {
      name: "Spring",
      dueAt,
      devices: { expiring: {} },
    });
    world.clock.advance(2 * 86_400_000);
    const kinds = (await told()).map(({ kind, href }) => [kind, href]);
    expect(kinds).toContainEqual(["renewal_overdue", `/trust/campaigns/${id}`]);
  });

  it("tell of reasons that the door refuses for unusually often, and of revocations that come late", async () => {
    const { db, namespaceId } = world.ctx;
    const hour = new Date(Math.floor(world.clock.now.getTime() / 3_600_000) * 3_600_000);
    await db.refusalHour.create({ data: { namespaceId, hour, code: "revoked", count: 51 } });
    await db.refusalHour.create({ data: { namespaceId, hour, code: "expired", count: 50 } });
    await db.revocationCanary.create({ data: { namespaceId, lateSince: world.day(-1) } });
    expect((await told()).map(({ kind, tone, href }) => [kind, tone, href]).sort()).toEqual([
      ["refusals_unusual", "warn", "/trust/refused?code=revoked"],
      ["revocation_late", "bad", "/settings"],
    ]);
    await db.revocationCanary.update({ where: { namespaceId }, data: { lateSince: null } });
    world.clock.advance(3 * 3_600_000);
    expect(await told()).toEqual([]);
  });

  it("ask for nobody else once somebody sees to them, until they are told anew", async () => {
    const { uuid } = await world.plant({ certificate: { keyType: "RSA-2048" } });
    const set = (keyType: string) =>
      world.ctx.db.deviceCertificate.updateMany({ where: { deviceUuid: uuid }, data: { keyType } });
    const [first] = await told();
    const id = first?.id ?? "";
    await expectRefusal(acknowledgeNotice(world.ctx, support, id), "auth.forbidden");
    await expectRefusal(acknowledgeNotice(world.ctx, admin, randomUUID()), "notice.not_found");
    await expectRefusal(acknowledgeNotice({ ...world.ctx, namespaceId: "elsewhere" }, admin, id), "notice.not_found");
    const at = world.clock.now.toISOString();
    for (const _again of [1, 2]) {
      expect(await acknowledgeNotice(world.ctx, admin, id)).toMatchObject({
        acknowledgedAt: at,
        acknowledgedBy: "admin",
      });
      world.clock.advance(1_000);
    }
    expect(await auditStory(world.ctx)).toEqual(["notice.acknowledge done"]);
    expect([await told(), (await told("acknowledged")).map((notice) => notice.id)]).toEqual([[], [id]]);
    await set("P-256");
    expect([await told("acknowledged"), (await told("settled")).length]).toEqual([[], 1]);
    await set("RSA-2048");
    expect(await told()).toMatchObject([{ id, acknowledgedAt: null, acknowledgedBy: null }]);
  });

  it("page newest first, by state, within a namespace", async () => {
    await world.plant({ endsInDays: 5, certificate: { keyType: "RSA-2048" } });
    await world.plant({ endsInDays: 12 });
    await refreshNotices(world.ctx);
    const first = await listNotices(world.ctx, support, query({ limit: 2 }));
    const rest = await listNotices(world.ctx, support, query({ limit: 2, cursor: first.nextCursor ?? "" }));
    expect(new Set([...first.data, ...rest.data].map(({ id }) => id)).size).toBe(3);
    expect([first.total, rest.nextCursor]).toEqual([3, null]);
    const elsewhere = { ...world.ctx, namespaceId: "elsewhere" };
    expect((await listNotices(elsewhere, support, query())).total).toBe(0);
  });
});

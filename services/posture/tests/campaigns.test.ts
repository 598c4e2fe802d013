import { randomUUID } from "node:crypto";
import { beforeEach, describe, expect, it } from "vitest";
import { type CreateRenewalCampaign, ListCampaignDevices } from "#lib/contracts/console/renewal-campaigns.ts";
import {
  closeRenewalCampaign,
  createRenewalCampaign,
  getRenewalCampaign,
  listCampaignDevices,
  listRenewalCampaigns,
} from "#services/posture/service.ts";
import { actorOf, auditStory, expectRefusal } from "#tests/harness/identity.ts";
import { openPosture } from "./harness.ts";

const admin = actorOf("admin");
const support = actorOf("support");
const world = openPosture();

beforeEach(() => {
  world.ctx = { ...world.ctx, namespaceId: `ns-${randomUUID()}` };
});

const campaign = (devices: CreateRenewalCampaign["devices"]): CreateRenewalCampaign => ({
  name: "Before summer",
  dueAt: world.day(60).toISOString(),
  devices,
});
const untilDay = (days: number) => campaign({ expiring: { until: world.day(days).toISOString() } });

/** Who of it is how far, two a page. */
async function devicesOf(id: string, filter: Partial<ListCampaignDevices> = {}): Promise<string[]> {
  const all: string[] = [];
  let cursor: string | undefined;
  do {
    const query = ListCampaignDevices.parse({ ...filter, limit: 2, cursor });
    const page = await listCampaignDevices(world.ctx, support, { id, query });
    all.push(...page.data.map(({ deviceUuid }) => deviceUuid));
    if (page.nextCursor === null) expect(all).toHaveLength(page.total);
    cursor = page.nextCursor ?? undefined;
  } while (cursor !== undefined);
  return all.sort();
}

/** Another certificate takes the device's place. */
async function renew(device: { uuid: string; fingerprint: string }): Promise<string> {
  const { fingerprint } = await world.plant({
    certificate: { deviceUuid: device.uuid, renewalOf: device.fingerprint },
  });
  await world.ctx.db.deviceCertificate.updateMany({
    where: { namespaceId: world.ctx.namespaceId, fingerprint: device.fingerprint },
    data: { graceUntil: world.day(7) },
  });
  return fingerprint;
}

const revoke = (fingerprint: string) =>
  world.ctx.db.deviceCertificate.updateMany({ where: { fingerprint }, data: { state: "revoked" } });

describe("a renewal campaign", () => {
  it("follows the devices it listed at first, and those alone", async () => {
    const [renewed, away, waiting, gone] = await Promise.all([
      world.plant({ endsInDays: 20 }),
      world.plant({ endsInDays: 20, seenDaysAgo: 40 }),
      world.plant({ endsInDays: 20 }),
      world.plant({ endsInDays: 20 }),
    ]);
    await world.plant({ endsInDays: 40 });
    const made = await createRenewalCampaign(world.ctx, admin, untilDay(30));
    expect(made.counts).toEqual({ total: 4, waiting: 4, renewed: 0, gone: 0, away: 1 });
    await world.plant({ endsInDays: 10 });
    const replacement = await renew(renewed);
    await revoke(gone.fingerprint);
    const { counts } = await getRenewalCampaign(world.ctx, support, made.id);
    expect(counts).toEqual({ total: 4, waiting: 2, renewed: 1, gone: 1, away: 1 });
    expect(await devicesOf(made.id)).toHaveLength(4);
    expect(await devicesOf(made.id, { progress: "renewed" })).toEqual([renewed.uuid]);
    expect(await devicesOf(made.id, { progress: "gone" })).toEqual([gone.uuid]);
    expect(await devicesOf(made.id, { progress: "waiting" })).toEqual([away.uuid, waiting.uuid].sort());
    expect(await devicesOf(made.id, { progress: "waiting", away: "true" })).toEqual([away.uuid]);

    const closed = await closeRenewalCampaign(world.ctx, admin, made.id);
    expect([closed.closedBy, closed.counts]).toEqual([admin.name, counts]);
    await revoke(replacement);
    expect(await closeRenewalCampaign(world.ctx, admin, made.id)).toEqual(closed);
    expect(await auditStory(world.ctx)).toEqual(["renewal_campaign.create done", "renewal_campaign.close done"]);
  });

  it("lists what a posture check found, each device once, as far as it has a certificate in use", async () => {
    const weak = await world.plant({ certificate: { keyType: "RSA-2048" } });
    await world.plant({ certificate: { keyType: "RSA-2048", deviceUuid: weak.uuid, graceUntil: world.day(3) } });
    await world.plant();
    const made = await createRenewalCampaign(world.ctx, admin, campaign({ check: "weak_key" }));
    expect(await devicesOf(made.id)).toEqual([weak.uuid]);
  });

  it("begins once for one id, also when asked twice at the same time, and not for one that another namespace has", async () => {
    await world.plant({ endsInDays: 20 });
    const asked = { ...untilDay(30), id: randomUUID() };
    const [one, other] = await Promise.all([1, 2].map(() => createRenewalCampaign(world.ctx, admin, asked)));
    await world.plant({ endsInDays: 10 });
    const again = await createRenewalCampaign(world.ctx, admin, asked);
    expect([one, other, again].map((it) => [it?.id, it?.counts.total])).toEqual(Array(3).fill([asked.id, 1]));
    expect(await auditStory(world.ctx)).toEqual(["renewal_campaign.create done"]);
    world.ctx = { ...world.ctx, namespaceId: `ns-${randomUUID()}` };
    await expectRefusal(createRenewalCampaign(world.ctx, admin, asked), "request.invalid");
  });

  it("is listed newest first, in its own namespace", async () => {
    await world.plant({ endsInDays: 1 });
    const names: string[] = [];
    for (const name of ["first", "second", "third"]) {
      world.clock.advance(1_000);
      await createRenewalCampaign(world.ctx, admin, { ...untilDay(30), name });
    }
    let cursor: string | undefined;
    do {
      const page = await listRenewalCampaigns(world.ctx, support, { limit: 2, ...(cursor && { cursor }) });
      expect(page.total).toBe(3);
      names.push(...page.data.map((it) => `${it.name} ${it.counts.total}`));
      cursor = page.nextCursor ?? undefined;
    } while (cursor !== undefined);
    expect(names).toEqual(["third 1", "second 1", "first 1"]);
    const elsewhere = { ...world.ctx, namespaceId: "elsewhere" };
    expect((await listRenewalCampaigns(elsewhere, support, { limit: 50 })).total).toBe(0);
    const [newest] = (await listRenewalCampaigns(world.ctx, support, { limit: 1 })).data;
    await expectRefusal(getRenewalCampaign(elsewhere, support, newest?.id ?? ""), "renewal_campaign.not_found");
    await expectRefusal(closeRenewalCampaign(elsewhere, admin, newest?.id ?? ""), "renewal_campaign.not_found");
  });

  it("is refused to who may not decide, and without a device", async () => {
    await world.plant({ endsInDays: 50 });
    await expectRefusal(createRenewalCampaign(world.ctx, support, untilDay(60)), "auth.forbidden");
    await expectRefusal(createRenewalCampaign(world.ctx, admin, untilDay(30)), "request.invalid");
    expect((await listRenewalCampaigns(world.ctx, support, { limit: 50 })).total).toBe(0);
  });
});

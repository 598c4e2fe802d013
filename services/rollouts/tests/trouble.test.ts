import { describe, expect, it } from "vitest";
import { createBackends } from "#lib/backends/backends.ts";
import { enrol } from "#services/director/tests/harness.ts";
import { cancelUpdate, createUpdate, getUpdate, previewUpdate, resumeUpdates } from "#services/rollouts/service.ts";
import {
  clock,
  ctx,
  deviceIn,
  director,
  gate,
  install,
  installed,
  OPERATOR,
  order,
  setUpStand,
  upload,
  V1,
  V2,
} from "./harness.ts";

setUpStand();

type Director = typeof ctx.backends.director;

/** Some of whose calls go another way. */
function withDirector(calls: Partial<Director>): typeof ctx {
  return { ...ctx, backends: { ...ctx.backends, director: { ...ctx.backends.director, ...calls } } };
}

describe("a director that is away", () => {
  it("leaves the update launching, says why, and is caught up with by the worker", async () => {
    const device = await enrol(director, { image: await installed(V1) });
    const wish = order([device]);
    await previewUpdate(ctx, OPERATOR, wish);
    // Dies between the image look-up and the assignment: the update is stored, the director never heard of it.
    const dying = withDirector({
      createMtu: async (...args) => {
        gate.shut();
        return ctx.backends.director.createMtu(...args);
      },
    });
    const update = await createUpdate(dying, OPERATOR, wish);
    const trouble = expect.stringMatching(/director/);
    expect(update).toMatchObject({ state: "launching", counts: { assigned: 1 }, trouble });
    gate.open();
    await resumeUpdates(ctx);
    expect(await getUpdate(ctx, OPERATOR, update.id)).toMatchObject({ state: "running", trouble: null });
    await device.fetch();
    expect(device.wants()).toBe(V2);
  });

  it("is not asked twice for a batch whose reply was lost", async () => {
    const device = await enrol(director, { image: await installed(V1) });
    const lossy = withDirector({
      assign: async (...args) => {
        await ctx.backends.director.assign(...args);
        gate.shut();
        return ctx.backends.director.assign(...args);
      },
    });
    const update = await createUpdate(lossy, OPERATOR, order([device]));
    expect(update.state).toBe("launching");
    gate.open();
    await resumeUpdates(ctx);
    const resumed = await getUpdate(ctx, OPERATOR, update.id);
    expect(resumed.state).toBe("running");
    expect(deviceIn(resumed, device.uuid).state).toBe("assigned");
  });
});

describe("a director in trouble of its own", () => {
  it("ends no update: what passes is tried again", async () => {
    const device = await enrol(director, { image: await installed(V1) });
    // The services refuse a token that is not theirs with 401: nothing was said about the update.
    const { config } = ctx;
    const strangers = createBackends(config, { SERVICES_TOKEN: "x".repeat(43) });
    const misconfigured = { ...ctx, backends: { ...ctx.backends, director: strangers.director } };
    const update = await createUpdate(misconfigured, OPERATOR, order([device]));
    strangers.close();
    expect(update).toMatchObject({ state: "launching", counts: { assigned: 1, failed: 0 } });
    await resumeUpdates(ctx);
    expect(await getUpdate(ctx, OPERATOR, update.id)).toMatchObject({ state: "running", counts: { assigned: 1 } });
    await device.fetch();
    expect(device.wants()).toBe(V2);
  });

  it("leaves no assignment behind when its answer comes after another process has cancelled", async () => {
    const device = await enrol(director, { image: await installed(V1) });
    const slow = withDirector({
      assign: async (...args) => {
        clock.advance(61_000);
        const id = args[1].correlationId.slice(-36);
        expect(await cancelUpdate(ctx, OPERATOR, id)).toMatchObject({
          state: "cancelled",
          counts: { cancelled: 1 },
        });
        return ctx.backends.director.assign(...args);
      },
    });
    const update = await createUpdate(slow, OPERATOR, order([device]));
    expect(update.state).toBe("cancelled");
    expect(await ctx.backends.director.listAssignments(ctx, device.uuid)).toEqual([]);
    await device.fetch();
    expect(device.wants()).not.toBe(V2);
  });
});

describe("a deleted device", () => {
  it("is waited for by no update", async () => {
    const [device, other] = [
      await enrol(director, { image: await installed(V1) }),
      await enrol(director, { image: await installed(V1) }),
    ];
    const update = await createUpdate(ctx, OPERATOR, order([device, other]));
    await install(other, update);
    await ctx.backends.registry.deleteDevice(ctx, device.uuid);
    const after = await getUpdate(ctx, OPERATOR, update.id);
    expect(deviceIn(after, device.uuid)).toMatchObject({ state: "cancelled", reasonCode: "device_deleted" });
    expect(deviceIn(after, other.uuid).state).toBe("updated");
    await resumeUpdates(ctx);
    expect((await getUpdate(ctx, OPERATOR, update.id)).state).toBe("finished");
  });
});

describe("an image that is deleted while it is launched", () => {
  const remove = (filename: string) => ctx.backends.reposerver.deleteImage(ctx, filename);

  it("stays when the assignment was first", async () => {
    await upload("app", "3.0", ["rpi4"]);
    const device = await enrol(director, { image: await installed(V1) });
    const { deleted, update } = await ctx.db.$transaction(async (tx) => {
      // Stops the assignment where it has the image and has not committed yet.
      await tx.$queryRaw`SELECT 1 FROM fleet_device WHERE uuid = ${device.uuid}::uuid FOR UPDATE`;
      const update = createUpdate(ctx, OPERATOR, order([device], { targets: { rpi4: { to: "app_3.0" } } }));
      await expect.poll(() => countWaiting(), { timeout: 10_000, interval: 20 }).toBe(1);
      const deleted = remove("app_3.0").then(
        () => null,
        (error: unknown) => error,
      );
      await expect.poll(() => countWaiting(), { timeout: 10_000, interval: 20 }).toBe(2);
      return { deleted, update };
    });
    expect(await update).toMatchObject({ state: "running", counts: { assigned: 1 } });
    expect(await deleted).toMatchObject({ code: "image.in_use" });
  });

  it("is assigned to nobody when the deletion was first", async () => {
    await upload("app", "4.0", ["rpi4"]);
    const device = await enrol(director, { image: await installed(V1) });
    const late = withDirector({
      assign: async (...args) => {
        await remove("app_4.0");
        return ctx.backends.director.assign(...args);
      },
    });
    const update = await createUpdate(late, OPERATOR, order([device], { targets: { rpi4: { to: "app_4.0" } } }));
    expect(update.counts).toMatchObject({ failed: 1 });
    expect(await ctx.backends.director.listAssignments(ctx, device.uuid)).toEqual([]);
  });
});

/** Transactions of this database that wait for a lock of another. */
async function countWaiting(): Promise<number> {
  const [row] = await ctx.db.$queryRaw<{ waiting: bigint }[]>`
    SELECT count(*) AS waiting FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`;
  return Number(row?.waiting ?? 0);
}

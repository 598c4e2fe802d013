import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  assign,
  enrol,
  makeMtu,
  NEW,
  OTHER,
  reportOf,
  seen,
  startDirector,
  TestDevice,
  type TestDirector,
  untilSomebodyWaits,
} from "./harness.ts";

/* Two processes on one database: what one decides, the other has to see. */

const ROUNDS = 8;
let director: TestDirector;
let other: TestDirector;
beforeAll(async () => {
  director = await startDirector();
  other = director.second();
});
afterAll(() => director.stop());

const correlation = (round: number) => `urn:here-ota:mtu:00000000-0000-4000-8000-${String(round).padStart(12, "0")}`;

describe("two processes at once", () => {
  it("register one device once", async () => {
    for (let round = 0; round < ROUNDS; round += 1) {
      const device = new TestDevice(director, "rpi4", "sensor");
      const body = device.registration();
      const replies = await Promise.all(
        [director, other, director, other].map((one) => one.ask("POST", device.path("ecus"), { body })),
      );
      expect(replies.map(({ status }) => status).sort()).toEqual([200, 200, 200, 201]);
      expect((await device.fetch()).version).toBe(1);
    }
  });

  it("conclude one manifest once", async () => {
    for (let round = 0; round < ROUNDS; round += 1) {
      const device = await enrol(director);
      const { correlationId } = await assign(director, [device]);
      await device.fetch();
      device.primary.installed = NEW;
      const body = device.manifest(reportOf(correlationId, { success: true, code: "OK" }));
      const replies = await Promise.all(
        [director, other, director, other].map((one) => one.ask("PUT", device.path("manifest"), { body })),
      );
      expect(replies.map(({ status }) => status)).toEqual([200, 200, 200, 200]);
      const after = await seen(director, device);
      expect(after.processed).toHaveLength(1);
      expect(after.fleet.status).toBe("up_to_date");
      const stories = await director.ctx.db.fleetActivity.findMany({
        where: { deviceUuid: device.uuid, kind: "report" },
      });
      expect(stories).toHaveLength(1);
    }
  });

  it("assign one ECU once", async () => {
    for (let round = 0; round < ROUNDS; round += 1) {
      const device = await enrol(director);
      const mtus = [await makeMtu(director), await makeMtu(director, { rpi4: { to: OTHER } })];
      const replies = await Promise.all(
        mtus.map((mtuId, index) =>
          (index === 0 ? director : other).ask("POST", "/api/v1/assignments", {
            body: { correlationId: correlation(index), mtuId, devices: [device.uuid] },
          }),
        ),
      );
      expect(replies.map(({ status }) => status).sort()).toEqual([201, 400]);
      expect((await seen(director, device)).open).toHaveLength(1);
    }
  });

  it("let a manifest and a cancellation follow each other, in either order", async () => {
    for (let round = 0; round < ROUNDS; round += 1) {
      const device = await enrol(director);
      const { correlationId } = await assign(director, [device]);
      await device.fetch();
      device.primary.installed = NEW;
      const body = device.manifest(reportOf(correlationId, { success: true, code: "OK" }));
      const [manifest, cancelled] = await Promise.all([
        director.ask("PUT", device.path("manifest"), { body }),
        other.ask("PATCH", "/api/v1/assignments", { body: [device.uuid], headers: { "x-trx-force": "true" } }),
      ]);
      expect([manifest.status, cancelled.status]).toEqual([200, 200]);
      const after = await seen(director, device);
      expect(after.open).toEqual([]);
      expect(after.processed).toHaveLength(1);
      expect(after.fleet.installedFilenames).toEqual([NEW.filepath]);
      await device.fetch();
      expect(device.wants()).toBe(NEW.filepath);
    }
  });

  it("never serve an assignment that is not in flight, whoever fetches while it is made", async () => {
    for (let round = 0; round < ROUNDS; round += 1) {
      const device = await enrol(director);
      const mtuId = await makeMtu(director);
      const body = { correlationId: correlation(round), mtuId, devices: [device.uuid] };
      await Promise.all([
        other.ask("POST", "/api/v1/assignments", { body }),
        director.ask("GET", device.path("targets.json")),
        other.ask("GET", device.path("targets.json")),
      ]);
      const targets = await device.fetch();
      expect([...targets.targets.keys()]).toEqual([NEW.filepath]);
      expect((await seen(director, device)).open).toMatchObject([{ inFlight: true }]);
      expect(targets.version).toBe(2);
    }
  });

  it("lock the registry's row before the fleet's, so that a rename never deadlocks with them", async () => {
    const device = await enrol(director);
    const { correlationId } = await assign(director, [device]);
    await device.fetch();
    device.primary.installed = NEW;
    const manifest = device.manifest(reportOf(correlationId, { success: true, code: "OK" }));
    const mtuId = await makeMtu(director, { rpi4: { to: OTHER } });
    const again = { correlationId: correlation(1), mtuId, devices: [device.uuid] };
    for (const change of [
      () => director.ask("GET", device.path("root.json")),
      () => director.ask("PUT", device.path("manifest"), { body: manifest }),
      () => director.ask("POST", "/api/v1/assignments", { body: again }),
      () => director.ask("PATCH", "/api/v1/assignments", { body: [device.uuid] }),
    ]) {
      const underway = await other.ctx.db.$transaction(async (tx) => {
        await tx.$executeRaw`UPDATE registry_device SET notes = 'held' WHERE uuid = ${device.uuid}::uuid`;
        const reply = change();
        await untilSomebodyWaits(director);
        await tx.$queryRaw`SELECT 1 FROM fleet_device WHERE uuid = ${device.uuid}::uuid FOR UPDATE NOWAIT`;
        return { reply };
      });
      expect((await underway.reply).status).toBeLessThan(300);
    }
  });

  it("assign and cancel overlapping sets of devices in opposite order without deadlock", async () => {
    const devices = await Promise.all(Array.from({ length: 6 }, () => enrol(director)));
    const uuids = devices.map(({ uuid }) => uuid);
    const mtuId = await makeMtu(director);
    const replies = await Promise.all(
      Array.from({ length: 12 }, (_, round) => {
        const one = round % 2 === 0 ? director : other;
        const order = round % 3 === 0 ? uuids : [...uuids].reverse();
        return round % 4 === 3
          ? one.ask("PATCH", "/api/v1/assignments", { body: order })
          : one.ask("POST", "/api/v1/assignments", {
              body: { correlationId: correlation(round), mtuId, devices: order },
            });
      }),
    );
    expect(replies.filter(({ status }) => status >= 500)).toEqual([]);
  });
});

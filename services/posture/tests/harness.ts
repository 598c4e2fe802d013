import { createHash, randomUUID } from "node:crypto";
import { afterAll, beforeAll } from "vitest";
import type { Ctx } from "#lib/ctx.ts";
import { createTestClock, createTestCtx, type TestClock } from "#tests/harness/ctx.ts";
import { createTestDatabase, type TestDatabase } from "#tests/harness/database.ts";

const DAY_MS = 86_400_000;
/** A Wednesday. */
export const START = new Date("2026-03-04T12:00:00.000Z");

type Row = NonNullable<Parameters<Ctx["db"]["deviceCertificate"]["create"]>[0]>["data"];

/** A device, and its certificate, as rows alone: days are counted from the clock, negative ones are past. */
export type Planted = {
  name?: string;
  endsInDays?: number;
  seenDaysAgo?: number | null;
  certificate?: Partial<Row>;
};

export type PostureWorld = {
  ctx: Ctx;
  readonly clock: TestClock;
  /** @returns the device's uuid and the certificate's fingerprint */
  plant: (device?: Planted) => Promise<{ uuid: string; fingerprint: string }>;
  day: (days: number) => Date;
};

/** One database a test file. Fields are set before the first test. */
export function openPosture(): PostureWorld {
  const clock = createTestClock(START);
  const world = { clock } as PostureWorld; // filled by beforeAll, before any test reads it
  let database: TestDatabase;
  beforeAll(async () => {
    database = await createTestDatabase();
    world.ctx = createTestCtx(database.url, { clock });
  });
  afterAll(async () => {
    await world.ctx.db.$disconnect();
    await database.drop();
  });
  world.day = (days) => new Date(clock.now.getTime() + days * DAY_MS);
  world.plant = async ({ name, endsInDays = 100, seenDaysAgo = 0, certificate = {} } = {}) => {
    const { ctx, day } = world;
    const uuid = randomUUID();
    const fingerprint = createHash("sha256").update(uuid).digest("hex");
    const { namespaceId } = ctx;
    await ctx.db.fleetDevice.create({
      data: {
        namespaceId,
        uuid,
        name: name ?? `device ${uuid}`,
        deviceId: uuid,
        status: "up_to_date",
        statusAt: clock.now,
        hardwareIds: [],
        installedFilenames: [],
        assignedFilenames: [],
        lastSeenAt: seenDaysAgo === null ? null : day(-seenDaysAgo),
        createdAt: day(-200),
      },
    });
    await ctx.db.deviceCertificate.create({
      data: {
        namespaceId,
        fingerprint,
        deviceUuid: uuid,
        state: "allowed",
        spkiSha256: createHash("sha256").update(fingerprint).digest("hex"),
        keyType: "P-256",
        notBefore: day(endsInDays - 365),
        notAfter: day(endsInDays),
        firstSeenAt: day(-1),
        admittedAt: day(-1),
        lastSeenAt: day(-1),
        createdAt: day(-200),
        ...certificate,
      },
    });
    return { uuid, fingerprint };
  };
  return world;
}

/** @returns its id */
export async function addAuthority(
  { ctx, day }: PostureWorld,
  change: { state?: string; endsInDays?: number; subjectDn?: string; maxValidityDays?: number },
): Promise<string> {
  const id = randomUUID();
  await ctx.db.authority.create({
    data: {
      id,
      namespaceId: ctx.namespaceId,
      name: "Plant CA",
      fingerprint: createHash("sha256").update(id).digest("hex"),
      subjectDn: change.subjectDn ?? `CN=${id}`,
      certificate: Buffer.from("never read here"),
      notBefore: day(-100),
      notAfter: day(change.endsInDays ?? 3_000),
      state: change.state ?? "open",
      policy: "ask",
      maxValidityDays: change.maxValidityDays ?? null,
    },
  });
  return id;
}

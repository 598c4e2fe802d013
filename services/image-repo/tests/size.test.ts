import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { METADATA_LIMITS } from "#lib/uptane/limits.ts";
import { bytesOf, upload, verifyAsDevice } from "./harness.ts";
import { BYTES, clock, codeOf, ctx, filesKept, other, server, standForEachTest } from "./stand.ts";

const IMAGES = 10_000;
const MIB = 1024 * 1024;
/** Rows, the list, its canonical text and its bytes, each a few times 5 MiB. */
const MAX_GROWTH_BYTES = 400 * MIB;
const SLOW_MACHINE_MS = 90_000;
const SAMPLE_EVERY_MS = 10;

standForEachTest();

const digestOf = (text: string) => createHash("sha256").update(text).digest("hex");

/** As a real product's: several boards, an address, some members of the publisher's own. */
const addImages = () => ctx.db.$executeRaw`
  INSERT INTO image_target ("namespaceId", filename, name, version, "hardwareIds", format, uri, proprietary, sha256, length,
    storage, "createdAt", "updatedAt")
  SELECT 'default', 'telematics-unit-' || n % 40 || '_' || v || '_' || n, 'telematics-unit-' || n % 40, v,
    ARRAY['telematics-rev-b', 'telematics-rev-c'], 'BINARY', 'https://images.example/releases/' || v || '/' || n || '/image.bin',
    jsonb_build_object('changelog', 'Release ' || v, 'build', jsonb_build_object('pipeline', n, 'commit', md5(v))),
    encode(sha256(('image ' || n)::bytea), 'hex'), 50000000 + n, 'unmanaged', now(), now()
  FROM generate_series(1, ${IMAGES}::int) AS n, LATERAL (SELECT n / 1000 || '.' || n / 40 % 25 || '.' || n % 40 || '-release' AS v) AS of`;

const heldBytes = () => {
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
};

/** By how much what this process holds rose above its beginning, at most. */
async function growthOf(work: () => Promise<void>): Promise<number> {
  const before = heldBytes();
  let most = before;
  const timer = setInterval(() => (most = Math.max(most, heldBytes())), SAMPLE_EVERY_MS);
  try {
    await work();
  } finally {
    clearInterval(timer);
  }
  return Math.max(most, heldBytes()) - before;
}

describe("ten thousand images", () => {
  it(
    "fit into what devices accept, and are signed and served in bounded memory",
    async () => {
      expect(await addImages()).toBe(IMAGES);
      const growth = await growthOf(async () => {
        expect((await upload(server, "one-more", BYTES)).status).toBe(204);
        const readers = Array.from({ length: 8 }, (_, index) =>
          (index % 2 === 0 ? server : other).call("/targets.json"),
        );
        // Read to the end: a reply left half-read keeps its connection, and the server, from closing.
        const replies = await Promise.all(readers.map(bytesOf));
        for (const bytes of replies) expect(bytes.length).toBeGreaterThan(IMAGES);
      });
      const targets = await bytesOf(server.call("/targets.json"));
      expect(targets.length).toBeLessThan(METADATA_LIMITS.imageTargets.maxBytes);
      const verified = await verifyAsDevice(other, clock.now);
      expect(verified.targets.signed.targets.size).toBe(IMAGES + 1);
      expect(growth).toBeLessThan(MAX_GROWTH_BYTES);
    },
    SLOW_MACHINE_MS,
  );
});

describe("a snapshot that would outgrow the 64 KiB a device accepts", () => {
  it("is refused when made, with the change that needs it", async () => {
    await upload(server, "app_1", BYTES);
    await ctx.db.imageDelegation.createMany({
      data: Array.from({ length: 400 }, (_, index) => ({
        namespaceId: "default",
        name: `role-${index}-`.padEnd(50, "x"),
        bytes: Buffer.from("{}"),
        checksum: digestOf(`${index}`),
        version: 1,
      })),
    });
    const before = await ctx.db.imageRole.findMany();
    expect(await codeOf(await upload(server, "app_2", Buffer.from("two")))).toEqual([413, "payload_too_large"]);
    expect(await ctx.db.imageRole.findMany()).toEqual(before);
    expect([await ctx.db.imageTarget.count(), filesKept()]).toEqual([1, 1]);
  });
});

import { randomBytes } from "node:crypto";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { SYSTEM } from "#lib/authz/actor.ts";
import { type BackendCtx, createBackends } from "#lib/backends/backends.ts";
import { loadConfig } from "#lib/config/load.ts";
import { createLog } from "#lib/log/log.ts";
import type { JsonObject } from "#lib/uptane/json.ts";
import { condemnedImages, scrubImages, verifyImageNow, withVerification } from "#services/verification/service.ts";
import { createTestCtx } from "#tests/harness/ctx.ts";
import { createTestDatabase, type TestDatabase } from "#tests/harness/database.ts";
import { objectAt, put, seedKey, signByHand } from "#tests/harness/uptane-documents.ts";
import { metaEntry, sign } from "#tests/harness/uptane-repository.ts";
import { type ExternalRepository, startExternalRepository } from "./external-repository.ts";

const CONTENT = randomBytes(200_000);
const PAST = "2020-01-01T00:00:00Z";
const NAME = "app_1";

let database: TestDatabase;
let external: ExternalRepository;
let ctx: BackendCtx;

beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());
beforeEach(async () => {
  external = await startExternalRepository();
  const settings = { REPOSERVER_URL: external.url, SERVICES_TOKEN: "t".repeat(40) };
  const plain = createTestCtx(database.url, { settings });
  const { config, secrets } = loadConfig("supervisor", settings);
  ctx = { ...plain, log: createLog("test", "silent"), backends: createBackends(config, secrets) };
  external.repository.publish(NAME, { content: CONTENT, hardwareIds: ["rpi4"] });
});
afterEach(async () => {
  ctx.backends.close();
  await ctx.db.imageVerification.deleteMany();
  await ctx.db.$disconnect();
  await external.close();
});

/** A document as it is served now. */
const shown = (name: string) => objectAt(Object.fromEntries(external.repository.documents), `/repo/${name}.json`);
const content = (name: string) => objectAt(shown(name), "signed");
const serve = (name: string, document: JsonObject | Buffer | null) => external.replaced.set(`${name}.json`, document);
const forged = (document: JsonObject) => put(document, ["signatures", 0, "sig"], `${"A".repeat(86)}==`);

/** Signs the list anew, and what names it after it. */
function serveTargets(signed: JsonObject): void {
  const targets = sign("image", "targets", signed);
  serve("targets", targets);
  const meta = put(content("snapshot"), ["meta", "targets.json"], metaEntry(targets, Number(signed.version)));
  serveSnapshot(meta);
}
function serveSnapshot(signed: JsonObject): void {
  const snapshot = sign("image", "snapshot", signed);
  serve("snapshot", snapshot);
  const named = metaEntry(snapshot, Number(signed.version));
  serve("timestamp", sign("image", "timestamp", put(content("timestamp"), ["meta", "snapshot.json"], named)));
}
const rotated = (changes: JsonObject = {}): JsonObject => {
  external.repository.rotateRoot("repo", changes);
  return objectAt(Object.fromEntries(external.repository.documents), "/repo/2.root.json");
};

type Break = () => void;
const BREAKS: readonly (readonly [what: string, breakIt: Break, failed: Record<string, string>])[] = [
  [
    "a root that the one before did not sign",
    () => serve("2.root", forged(rotated())),
    { root: "uptane.threshold_unmet" },
  ],
  [
    "a root that skips a version",
    () => {
      rotated();
      serve("2.root", rotated());
      external.replaced.set(
        "2.root.json",
        objectAt(Object.fromEntries(external.repository.documents), "/repo/3.root.json"),
      );
    },
    { root: "uptane.version_mismatch" },
  ],
  ["a root that is no JSON", () => serve("2.root", Buffer.from("{")), { root: "uptane.malformed" }],
  ["a root that has expired", () => void rotated({ expires: PAST }), { root: "uptane.expired" }],
  [
    "another first root than the pinned one",
    () =>
      serve(
        "1.root",
        put(
          objectAt(Object.fromEntries(external.repository.documents), "/repo/1.root.json"),
          ["signed", "expires"],
          PAST,
        ),
      ),
    { root: "uptane.hash_mismatch" },
  ],
  [
    "a timestamp with a forged signature",
    () => serve("timestamp", forged(shown("timestamp"))),
    { timestamp: "uptane.threshold_unmet" },
  ],
  [
    "a timestamp by a key that is not the role's",
    () => serve("timestamp", signByHand(content("timestamp"), seedKey("77"))),
    { timestamp: "uptane.threshold_unmet" },
  ],
  [
    "a timestamp that has expired",
    () => serve("timestamp", sign("image", "timestamp", put(content("timestamp"), ["expires"], PAST))),
    { timestamp: "uptane.expired" },
  ],
  ["no timestamp", () => serve("timestamp", null), { timestamp: "uptane.malformed" }],
  [
    "a snapshot that the timestamp does not name",
    () => serve("snapshot", sign("image", "snapshot", put(content("snapshot"), ["expires"], "2031-01-01T00:00:00Z"))),
    { snapshot: "uptane.hash_mismatch" },
  ],
  [
    "a snapshot that has expired",
    () => serveSnapshot(put(content("snapshot"), ["expires"], PAST)),
    { snapshot: "uptane.expired" },
  ],
  [
    "a list that the snapshot does not name",
    () => serve("targets", sign("image", "targets", put(content("targets"), ["expires"], "2031-01-01T00:00:00Z"))),
    { targets: "uptane.hash_mismatch" },
  ],
  [
    "a list that has expired",
    () => serveTargets(put(content("targets"), ["expires"], PAST)),
    { targets: "uptane.expired" },
  ],
  [
    "a list below its threshold of signatures",
    () => {
      const unsigned = { signed: content("targets"), signatures: [] };
      serve("targets", unsigned);
      serveSnapshot(
        put(content("snapshot"), ["meta", "targets.json"], metaEntry(unsigned, Number(content("targets").version))),
      );
    },
    { targets: "uptane.threshold_unmet" },
  ],
  [
    "another length than was signed",
    () => serveTargets(put(content("targets"), ["targets", NAME, "length"], CONTENT.length + 1)),
    { length: "uptane.length_mismatch" },
  ],
  [
    "a byte that flipped",
    () => external.bytes.set(NAME, Buffer.concat([CONTENT.subarray(0, -1), Buffer.from([(CONTENT.at(-1) ?? 0) ^ 1])])),
    { digest: "uptane.hash_mismatch" },
  ],
  [
    "a missing end",
    () => external.bytes.set(NAME, CONTENT.subarray(1)),
    { length: "uptane.length_mismatch", digest: "uptane.hash_mismatch" },
  ],
  [
    "missing bytes",
    () => external.bytes.set(NAME, 404),
    { length: "image.storage_mismatch", digest: "image.storage_mismatch" },
  ],
];

const verify = () => verifyImageNow(ctx, SYSTEM, NAME);
const failuresOf = ({ checks }: Awaited<ReturnType<typeof verify>>) =>
  Object.fromEntries(checks.flatMap(({ check, result, code }) => (result === "failed" ? [[check, code]] : [])));

describe("verification of somebody else's repository over its contract", () => {
  it("makes every check, with the keys that signed, and says verified", async () => {
    rotated();
    const { state, checks } = await verify();
    expect(state).toBe("verified");
    expect(checks.map(({ check, result }) => `${check} ${result}`)).toEqual(
      ["root", "timestamp", "snapshot", "targets", "length", "digest"].map((check) => `${check} ok`),
    );
    expect(checks.slice(0, 4).every(({ keyIds }) => keyIds.length > 0)).toBe(true);
    expect(checks.every(({ at }) => at !== null)).toBe(true);
  });

  it.each(BREAKS)("finds %s, for this reason and no other", async (_what, breakIt, failed) => {
    expect((await verify()).state).toBe("verified"); // pins the first root
    breakIt();
    const found = await verify();
    expect(failuresOf(found)).toEqual(failed);
    expect(found.state).toBe("mismatch");
    expect(new Set((await condemnedImages(ctx.db, "default", [NAME, "other"])).keys())).toEqual(new Set([NAME]));
  });

  it("names both digests of bytes that changed", async () => {
    external.bytes.set(NAME, Buffer.alloc(CONTENT.length));
    const digest = (await verify()).checks.find(({ check }) => check === "digest");
    expect(digest?.text.match(/[0-9a-f]{64}/g)).toHaveLength(2);
  });

  it("never says verified of bytes that are kept elsewhere, and fetches no address that it is given", async () => {
    external.bytes.set(NAME, 302);
    expect(await verify()).toMatchObject({ state: "not_checked" });
  });

  it("keeps what it knew when the repository is down", async () => {
    await verify();
    external.bytes.set(NAME, 500);
    await expect(verify()).rejects.toMatchObject({ code: "backend.refused" });
    const image = await ctx.backends.reposerver.getImage(ctx, NAME);
    expect((await withVerification(ctx, [image]))[0]?.verification.state).toBe("verified");
  });

  it("does not take the result of other bytes for that of these", async () => {
    await verify();
    const image = await ctx.backends.reposerver.getImage(ctx, NAME);
    const [other] = await withVerification(ctx, [{ ...image, sha256: "0".repeat(64) }]);
    expect(other?.verification.state).toBe("not_checked");
  });
});

describe("the scrub", () => {
  it("looks at every image once a week, the oldest look first, and finds what changed", async () => {
    external.repository.publish("app_2", { content: randomBytes(1_000), hardwareIds: ["rpi4"] });
    expect(await scrubImages(ctx)).toEqual({ checked: 2, failed: 0 });
    expect(await scrubImages(ctx)).toEqual({ checked: 0, failed: 0 });
    external.bytes.set(NAME, Buffer.alloc(CONTENT.length));
    const later = { ...ctx, clock: () => new Date(Date.now() + 6 * 86_400_000) };
    expect(await scrubImages(later)).toEqual({ checked: 2, failed: 1 });
    expect(new Set((await condemnedImages(ctx.db, "default", [NAME, "app_2"])).keys())).toEqual(new Set([NAME]));
  });

  it("looks again within the hour at what failed, and forgets what is no longer listed", async () => {
    external.bytes.set(NAME, Buffer.alloc(CONTENT.length));
    expect(await scrubImages(ctx)).toEqual({ checked: 1, failed: 1 });
    external.bytes.delete(NAME);
    const later = { ...ctx, clock: () => new Date(Date.now() + 3_600_001) };
    expect(await scrubImages(later)).toEqual({ checked: 1, failed: 0 });
    external.repository.images.delete(NAME);
    external.repository.publish("app_3", { content: randomBytes(10), hardwareIds: ["rpi4"] });
    await scrubImages(later);
    const kept = await ctx.db.imageVerification.findMany({ select: { filename: true } });
    expect(kept).toEqual([{ filename: "app_3" }]);
  });
});

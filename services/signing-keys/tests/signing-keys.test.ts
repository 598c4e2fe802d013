import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Actor, SYSTEM } from "#lib/authz/actor.ts";
import { type BackendCtx, createBackends } from "#lib/backends/backends.ts";
import { loadConfig } from "#lib/config/load.ts";
import type { KeyRepository, RepositoryName } from "#lib/contracts/console/keys.ts";
import { requestCtx } from "#lib/data/context.ts";
import { isJsonObject, type Json, type JsonObject } from "#lib/uptane/json.ts";
import { generateKeyPair, type KeyPair, serverKeyId, signerFromPrivate } from "#lib/uptane/keys.ts";
import { parseFullRoot, printFullRoot } from "#lib/uptane/next-root.ts";
import { signDocument } from "#lib/uptane/signatures.ts";
import { exportKey } from "#services/keyserver/service.ts";
import {
  getKeys,
  getUnsignedRoot,
  listKeyWarnings,
  pushRoot,
  pushTargets,
  reSign,
  rotateKeys,
  takeOffline,
} from "#services/signing-keys/service.ts";
import { startTestConsole, type TestConsole } from "#tests/harness/console.ts";
import { startTestServices } from "#tests/harness/console-services.ts";

let test: TestConsole;
let stopServices: () => Promise<void>;
let ctx: BackendCtx;

beforeAll(async () => {
  test = await startTestConsole();
  stopServices = await startTestServices(test);
  ctx = requestCtx(test.console, randomUUID());
});
afterAll(async () => {
  await stopServices();
  await test.drop();
});

async function read(repository: RepositoryName): Promise<KeyRepository> {
  const found = (await getKeys(ctx, SYSTEM)).repositories.find((one) => one.repository === repository);
  if (found === undefined) throw new Error("both are always there");
  return found;
}

const roleOf = ({ roles }: KeyRepository, name: string) => {
  const role = roles.find(({ role }) => role === name);
  if (role === undefined) throw new Error(`no role ${name}`);
  return role;
};
const keyOf = (repository: KeyRepository, role: string) => roleOf(repository, role).keys[0]?.keyId ?? "";
const states = (repository: KeyRepository) =>
  Object.fromEntries(repository.roles.map(({ role, keys }) => [role, keys[0]?.state]));

async function outcomes(action: string): Promise<string[]> {
  const rows = await ctx.db.auditEntry.findMany({ where: { action }, orderBy: { sequence: "asc" } });
  return rows.map(({ outcome, targetId }) => `${targetId} ${outcome}`);
}

const signerOf = (pair: KeyPair) => signerFromPrivate("ED25519", pair.privateKey);

/** What garage-sign does when it moves keys offline: the old root key, fetched before it is gone, and keys of its own. */
async function signOffline(
  repository: RepositoryName,
  keys: { root: KeyPair; targets?: KeyPair },
): Promise<{ document: string; withoutOldKey: string }> {
  const current = await read(repository);
  const { keyval } = await exportKey(ctx, current.repoId ?? "", keyOf(current, "root"));
  const { signed } = await getUnsignedRoot(ctx, SYSTEM, repository);
  const root = parseFullRoot(signed);
  const roles = new Map(root.roles);
  const listed = new Map(root.keys);
  for (const [role, pair] of Object.entries(keys) as ["root" | "targets", KeyPair][]) {
    for (const keyId of roles.get(role)?.keyids ?? []) listed.delete(keyId);
    listed.set(serverKeyId(pair.publicKey), pair.publicKey);
    roles.set(role, { keyids: [serverKeyId(pair.publicKey)], threshold: 1 });
  }
  const next = printFullRoot({ ...root, keys: listed, roles });
  const text = (signers: Parameters<typeof signDocument>[1]) => signDocument(next, signers).bytes.toString("latin1");
  return {
    document: text([signerFromPrivate("ED25519", keyval.private), signerOf(keys.root)]),
    withoutOldKey: text([signerOf(keys.root)]),
  };
}

describe("the page of keys", () => {
  it("shows every role of both repositories with its keys, and has nothing to warn of", async () => {
    const { imagesLocked } = await getKeys(ctx, SYSTEM);
    const all = { root: "online", targets: "online", snapshot: "online", timestamp: "online" };
    const image = await read("image");
    expect(states(image)).toEqual(all);
    expect(image.roles.map(({ version, renewal }) => [version, renewal])).toEqual(Array(4).fill([1, "automatic"]));
    const director = await read("director");
    expect(states(director)).toEqual(all);
    expect(roleOf(director, "targets")).toMatchObject({ version: null, expiresAt: null, renewal: "per_device" });
    expect(imagesLocked).toBeNull();
    expect(await listKeyWarnings(ctx, SYSTEM)).toEqual([]);
  });

  it("says of back ends that do not answer why nothing is known, and never that a key is online", async () => {
    const { config, secrets } = loadConfig("supervisor", { SERVICES_PORT: "1", SERVICES_TOKEN: "t".repeat(40) });
    const dead = { ...ctx, backends: createBackends(config, secrets) };
    const { repositories, imagesLocked } = await getKeys(dead, SYSTEM);
    dead.backends.close();
    expect(repositories.map(({ problem, roles }) => [problem === null, roles])).toEqual([
      [false, []],
      [false, []],
    ]);
    expect(imagesLocked).toBeNull();
  });

  it("is changed by admins only", async () => {
    const operator: Actor = { kind: "user", id: "u", name: "o", role: "operator", sessionId: "s", address: null };
    const repository = "image" as const;
    const document = "{}";
    for (const change of [
      rotateKeys(ctx, operator, { repository, rehearseOnly: true }),
      pushRoot(ctx, operator, { repository, document, rehearseOnly: true }),
      pushTargets(ctx, operator, { document, checksum: "0".repeat(64), rehearseOnly: true }),
      takeOffline(ctx, operator, { repository, keyId: "0".repeat(64), confirm: "00000000" }),
      reSign(ctx, operator, repository),
    ]) {
      await expect(change).rejects.toMatchObject({ code: "auth.forbidden" });
    }
  });
});

describe.each(["image", "director"] as const)("rotating the keys of the %s repository", (repository) => {
  it("is rehearsed as a device would see it, which changes nothing", async () => {
    const before = await read(repository);
    const { done, checks } = await rotateKeys(ctx, SYSTEM, { repository, rehearseOnly: true });
    expect(done).toBe(false);
    expect(checks.map(({ state }) => state)).toEqual(Array(repository === "image" ? 5 : 3).fill("passed"));
    expect(await read(repository)).toEqual(before);
    expect(await outcomes("keys.rotate")).not.toContain(`${repository} requested`);
  });

  it("is not done when the rehearsal fails", async () => {
    const failing = {
      ...ctx.backends.repositoryKeys,
      rehearse: async () => [{ step: "next_root", state: "failed", detail: "no" }] as const,
    };
    const before = await read(repository);
    const broken = { ...ctx, backends: { ...ctx.backends, repositoryKeys: failing } };
    const rotate = rotateKeys(broken, SYSTEM, { repository, rehearseOnly: false });
    await expect(rotate).rejects.toMatchObject({ code: "signing_key.rehearsal_failed" });
    expect(await read(repository)).toEqual(before);
  });

  it("gives root and targets new keys, and what is served then verifies", async () => {
    const before = await read(repository);
    const { done, checks } = await rotateKeys(ctx, SYSTEM, { repository, rehearseOnly: false });
    expect([done, ...checks.map(({ state }) => state)]).toEqual([true, ...checks.map(() => "passed")]);
    const after = await read(repository);
    expect(roleOf(after, "root").version).toBe((roleOf(before, "root").version ?? 0) + 1);
    for (const role of ["root", "targets"]) expect(keyOf(after, role)).not.toBe(keyOf(before, role));
    expect(keyOf(after, "timestamp")).toBe(keyOf(before, "timestamp"));
    expect(await outcomes("keys.rotate")).toEqual(
      expect.arrayContaining([`${repository} requested`, `${repository} done`]),
    );
  });
});

describe("signing anew", () => {
  it("makes targets, snapshot and timestamp of the image repository one version higher", async () => {
    const before = await read("image");
    const after = await reSign(ctx, SYSTEM, "image");
    for (const role of ["targets", "snapshot", "timestamp"]) {
      expect(roleOf(after, role).version).toBe((roleOf(before, role).version ?? 0) + 1);
    }
    expect(roleOf(after, "root").version).toBe(roleOf(before, "root").version);
    expect(await outcomes("keys.re_sign")).toEqual(["image requested", "image done"]);
  });
});

describe("the director's root, taken offline", () => {
  const root = generateKeyPair("ED25519");
  const repository = "director" as const;

  it("is refused unless the root in force signed it, with the reason and without a trace", async () => {
    const { withoutOldKey: document } = await signOffline(repository, { root });
    const before = await read(repository);
    const { checks } = await pushRoot(ctx, SYSTEM, { repository, document, rehearseOnly: true });
    expect(checks.map(({ state }) => state)).toContain("failed");
    const push = pushRoot(ctx, SYSTEM, { repository, document, rehearseOnly: false });
    await expect(push).rejects.toMatchObject({ code: "signing_key.document_refused" });
    expect(await read(repository)).toEqual(before);
    expect(await outcomes("keys.push_root")).toEqual([]);
  });

  it("is refused when it moves the targets key, with which each device's targets are signed", async () => {
    const { document } = await signOffline(repository, { root, targets: generateKeyPair("ED25519") });
    const push = pushRoot(ctx, SYSTEM, { repository, document, rehearseOnly: false });
    await expect(push).rejects.toMatchObject({ code: "signing_key.document_refused" });
  });

  it("comes into force when both signed it; its key is then elsewhere, and rotating is refused", async () => {
    const { document } = await signOffline(repository, { root });
    const { done, consequences } = await pushRoot(ctx, SYSTEM, { repository, document, rehearseOnly: false });
    expect([done, consequences.length]).toEqual([true, 1]);
    const after = await read(repository);
    expect(states(after)).toMatchObject({ root: "offline", targets: "online" });
    expect(roleOf(after, "root").renewal).toBe("person");
    const rotate = rotateKeys(ctx, SYSTEM, { repository, rehearseOnly: true });
    await expect(rotate).rejects.toMatchObject({ code: "signing_key.refused" });
    expect(await outcomes("keys.push_root")).toEqual(["director requested", "director done"]);
  });

  it("warns as its end comes near, since nobody here can renew it", async () => {
    const { expiresAt } = roleOf(await read(repository), "root");
    const near = new Date(Date.parse(expiresAt ?? "") - 6 * 86_400_000);
    const warnings = await listKeyWarnings({ ...ctx, clock: () => near }, SYSTEM);
    expect(warnings.filter((one) => one.repository === repository)).toEqual([
      { repository, role: expect.objectContaining({ role: "root", warning: { tone: "bad", withinDays: 7 } }) },
    ]);
  });
});

describe("the image repository's keys, taken offline", () => {
  const repository = "image" as const;
  const root = generateKeyPair("ED25519");
  const targets = generateKeyPair("ED25519");

  it("need the key's id typed, and a key that nothing here needs every day", async () => {
    const before = await read(repository);
    const keyId = keyOf(before, "root");
    const offline = (of: { keyId: string; confirm: string }) => takeOffline(ctx, SYSTEM, { repository, ...of });
    await expect(offline({ keyId, confirm: "00000000" })).rejects.toMatchObject({ code: "request.invalid" });
    const timestamp = keyOf(before, "timestamp");
    const refused = offline({ keyId: timestamp, confirm: timestamp.slice(0, 8) });
    await expect(refused).rejects.toMatchObject({ code: "signing_key.refused" });
    const unknown = offline({ keyId: "0".repeat(64), confirm: "00000000" });
    await expect(unknown).rejects.toMatchObject({ code: "signing_key.not_found" });
    expect(await read(repository)).toEqual(before);
  });

  it("lock images once the new root lists a targets key that is elsewhere", async () => {
    const { document } = await signOffline(repository, { root, targets });
    await pushRoot(ctx, SYSTEM, { repository, document, rehearseOnly: false });
    expect(states(await read(repository))).toMatchObject({ root: "offline", targets: "offline", timestamp: "online" });
    expect((await getKeys(ctx, SYSTEM)).imagesLocked).not.toBeNull();
  });

  it("take targets signed elsewhere, on top of those in force and no others", async () => {
    const bytes = await ctx.backends.repositoryKeys.readMetadata(ctx, repository, "targets.json");
    const current = roleOf(await read(repository), "targets");
    const sign = (change: JsonObject, pair = targets) =>
      signDocument({ ...signedOf(bytes), ...change }, [signerOf(pair)]).bytes.toString("latin1");
    const next = { version: (current.version ?? 0) + 1, expires: "2099-01-01T00:00:00Z" };
    const checksum = current.checksum ?? "";
    for (const push of [
      { document: sign(next), checksum: "0".repeat(64) },
      { document: sign({ ...next, version: current.version ?? 0 }), checksum },
      { document: sign(next, root), checksum },
      { document: sign({ ...next, expires: "2020-01-01T00:00:00Z" }), checksum },
      { document: "no json", checksum },
    ]) {
      const refused = pushTargets(ctx, SYSTEM, { ...push, rehearseOnly: false });
      await expect(refused).rejects.toMatchObject({ code: "signing_key.document_refused" });
    }
    const tried = await pushTargets(ctx, SYSTEM, { document: sign(next), checksum, rehearseOnly: true });
    expect(tried.checks.map(({ state }) => state)).toEqual(tried.checks.map(() => "passed"));
    expect(roleOf(await read(repository), "targets")).toEqual(current);
    expect(await outcomes("keys.push_targets")).toEqual([]);
    await pushTargets(ctx, SYSTEM, { document: sign(next), checksum, rehearseOnly: false });
    expect(roleOf(await read(repository), "targets").version).toBe(next.version);
    expect(await outcomes("keys.push_targets")).toEqual(["image requested", "image done"]);
  });
});

describe("deleting a private key here", () => {
  it("leaves it offline for good, and is audited with the key's id", async () => {
    const fresh = await startTestConsole();
    const stop = await startTestServices(fresh);
    const own = requestCtx(fresh.console, randomUUID());
    try {
      for (const repository of ["director", "image"] as const) {
        const found = (await getKeys(own, SYSTEM)).repositories.find((one) => one.repository === repository);
        const keyId = found === undefined ? "" : keyOf(found, "root");
        const key = { repository, keyId, confirm: keyId.slice(0, 8).toUpperCase() };
        expect(states(await takeOffline(own, SYSTEM, key))).toMatchObject({ root: "offline", targets: "online" });
        await expect(takeOffline(own, SYSTEM, key)).rejects.toMatchObject({ code: "signing_key.not_found" });
        const entry = await own.db.auditEntry.findFirst({
          where: { action: "keys.take_offline", targetId: repository, outcome: "done" },
        });
        expect(entry?.after).toMatchObject({ role: "root", keyId });
      }
    } finally {
      await stop();
      await fresh.drop();
    }
  });
});

function signedOf(bytes: Buffer): JsonObject {
  const parsed = JSON.parse(bytes.toString("utf8")) as Json; // what the repository has signed
  if (!isJsonObject(parsed) || !isJsonObject(parsed.signed)) throw new Error("not signed metadata");
  return parsed.signed;
}

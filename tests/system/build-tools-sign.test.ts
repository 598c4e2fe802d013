import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { generateKeyPair, type Signer, signerFromPrivate } from "#lib/uptane/keys.ts";
import { pushRepository } from "#tests/garage-push/push.ts";
import { type GarageSign, type NewTarget, openRepository } from "#tests/garage-sign/client.ts";
import { eventually } from "#tests/harness/api.ts";
import {
  authorizationOf,
  createLargeRepository,
  issueDevice,
  listedFor,
  makeCredentials,
  pullAndCheck,
  targetsKeyIn,
} from "#tests/harness/build-tools.ts";
import { type System, startSystem } from "#tests/harness/system.ts";

/** Long enough to take a while, and to be sent compressed by this tool. */
const LONG_LIST = 800;
const GZIP_MIN_BYTES = 100_000;
let system: System;
let device: string;
/** The archive of the build machine, with the private key of the list of images in it. */
let credentials: string;
let headers: { authorization: string };
let signer: Signer;
const read = (name: string) => readFileSync(join(credentials, name), "utf8");

beforeAll(async () => {
  system = await startSystem({}, ["services", "gateway"]);
  device = issueDevice(system, "Truck 1");
  credentials = makeCredentials(system, "build", "--with-targets-key", "--offline-keys");
  headers = await authorizationOf(credentials);
  signer = targetsKeyIn(credentials);
}, 120_000);
afterAll(() => system?.drop(), 60_000);

/** `garage-sign init`, `root pull`, `targets pull`. */
async function openTool(): Promise<GarageSign> {
  const tool = openRepository({
    repoUrl: read("tufrepo.url").trim(),
    headers: () => headers,
    tls: { ca: read("server_ca.pem") },
    gzipMinBytes: GZIP_MIN_BYTES,
  });
  await tool.rootPull();
  await tool.targetsPull();
  return tool;
}

const commitTarget = (sha256: string): NewTarget => ({
  ...{ name: "os", version: sha256, hardwareIds: ["rpi4"], format: "OSTREE", sha256, length: 0 },
});
const anyTarget = () => commitTarget(randomBytes(32).toString("hex"));

const listedForDevice = () => listedFor(system, device);

describe("a build machine with its archive", () => {
  it("pushes a commit, signs it as an image by itself, and a device finds and pulls it", {
    timeout: 60_000,
  }, async () => {
    const { repository, commit, drop } = createLargeRepository(40);
    onTestFinished(drop);
    const baseUrl = JSON.parse(read("treehub.json")).ostree.server;
    await pushRepository({ repo: repository.path, baseUrl, headers, tls: { ca: read("server_ca.pem") } });
    const tool = await openTool();
    const filename = tool.targetsAdd(commitTarget(commit));
    tool.targetsSign([signer]);
    await tool.targetsPush();
    expect(await listedForDevice()).toContain(filename);
    await pullAndCheck({ url: `${system.door.url}/treehub`, commit, device });
  });

  it("uploads a file by parts and lists it", async () => {
    const tool = await openTool();
    const filename = await tool.targetsUpload(
      { name: "app", version: "1", hardwareIds: ["rpi4"] },
      randomBytes(50_000),
    );
    tool.targetsSign([signer]);
    await tool.targetsPush();
    expect(await listedForDevice()).toContain(filename);
  });

  it("that pulled before somebody else pushed is refused, and loses nothing of the other's", async () => {
    const [late, early] = [await openTool(), await openTool()];
    const [lost, kept] = [late.targetsAdd(anyTarget()), early.targetsAdd(anyTarget())];
    for (const tool of [late, early]) tool.targetsSign([signer]);
    await early.targetsPush();
    await expect(late.targetsPush()).rejects.toMatchObject({ status: 412, code: "role_checksum_mismatch" });
    const listed = await listedForDevice();
    expect([listed.includes(lost), listed.includes(kept)]).toEqual([false, true]);
  });

  it.each(["services", "gateway"] as const)(
    "whose push of a long list meets kill -9 of %s finds the old list or the new one, whole, and a repeat succeeds",
    async (part) => {
      const before = await listedForDevice();
      const tool = await openTool();
      const added = Array.from({ length: LONG_LIST }, () => tool.targetsAdd(anyTarget()));
      tool.targetsSign([signer]);
      const pushed = tool.targetsPush().then(
        () => true,
        () => false,
      );
      system.kill9(part);
      const isAcknowledged = await pushed;
      let listed: readonly string[] = [];
      await eventually(
        async () => {
          listed = await listedForDevice();
          return true;
        },
        { withinSeconds: 60, what: `${part} to come back` },
      );
      const whole = [...before, ...added].sort();
      if (isAcknowledged) expect([...listed].sort()).toEqual(whole);
      else expect([before.length, whole.length]).toContain(listed.length);

      const again = await openTool();
      for (const name of added) {
        if (!again.targetNames().includes(name)) again.targetsAdd(commitTarget(name.slice("os-".length)));
      }
      again.targetsSign([signer]);
      await again.targetsPush();
      expect([...(await listedForDevice())].sort()).toEqual(whole);
    },
    120_000,
  );

  it("rotates the keys, takes them offline, and signs with its own from then on", async () => {
    const tool = await openTool();
    const listed = await listedForDevice();
    await tool.rootRotate();
    expect(await tool.rootPull()).toBe(2);
    await tool.targetsPull();
    const [newRoot, newTargets] = [generateKeyPair("ED25519"), generateKeyPair("ED25519")];
    await tool.moveOffline({ newRoot, newTargets });
    expect(tool.rootVersion()).toBe(3);

    const filename = tool.targetsAdd(anyTarget());
    tool.targetsSign([signer]);
    await expect(tool.targetsPush()).rejects.toMatchObject({ status: 400 });
    tool.targetsSign([signerFromPrivate("ED25519", newTargets.privateKey)]);
    await tool.targetsPush();
    expect([...(await listedForDevice())].sort()).toEqual([...listed, filename].sort());
    await expect(tool.rootRotate()).rejects.toMatchObject({ status: expect.any(Number) });
  });
});

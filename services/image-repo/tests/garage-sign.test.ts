import http from "node:http";
import { describe, expect, it } from "vitest";
import { formatExpires } from "#lib/uptane/expiry.ts";
import { generateKeyPair, type KeyPair, serverKeyId, signerFromPrivate } from "#lib/uptane/keys.ts";
import { sign } from "#tests/garage-sign/client.ts";
import { eventually } from "#tests/harness/eventually.ts";
import { openTcpProxy } from "#tests/harness/tcp-proxy.ts";
import { bytesOf, startServer, upload, verifyAsDevice } from "./harness.ts";
import { borrowKey, openPulled, openTool, ostreeTarget } from "./signing-tool.ts";
import { BYTES, clock, codeOf, ctx, other, server, standForEachTest } from "./stand.ts";

standForEachTest();

const signerOf = ({ publicKey, privateKey }: KeyPair) => signerFromPrivate(publicKey.keytype, privateKey);
const namesNow = async () => {
  const { targets } = await verifyAsDevice(other, clock.now);
  return [...targets.signed.targets.keys()].sort();
};

describe("a signing tool", () => {
  it("takes root and targets keys offline, and signs images, delegations and roots from then on", async () => {
    await upload(server, "app_1", Buffer.from("one"));
    const tool = await openPulled();
    const [newRoot, newTargets] = [generateKeyPair("ED25519"), generateKeyPair("RSA")];
    await tool.moveOffline({ newRoot, newTargets });
    expect(await codeOf(await upload(server, "app_2", BYTES))).toEqual([412, "role_keys_not_found"]);
    await expect(tool.rootRotate()).rejects.toMatchObject({ status: 412, code: "role_key_not_found" });
    await tool.targetsUpload({ name: "app", version: "2", hardwareIds: ["rpi4"] }, BYTES);
    tool.targetsAdd(ostreeTarget("7"));
    tool.targetsSign([signerOf(newTargets)]);
    await tool.targetsPush();
    expect(await namesNow()).toEqual(["app-2", "app_1", "os-7"]);
    await tool.rootPush(await tool.rootUnsigned(), [signerOf(newRoot)]);
    expect(await tool.rootPull()).toBe(3);
    await tool.targetsPull();
    const fresh = openTool();
    expect(await fresh.rootPull()).toBe(3);
    await fresh.targetsPull();
    expect(fresh.targetNames().sort()).toEqual(["app-2", "app_1", "os-7"]);
    expect((await verifyAsDevice(other, clock.now)).root.signed.version).toBe(3);
  });

  it("delegates, and pushes and pulls what the delegate signed", async () => {
    const vendor = generateKeyPair("ED25519");
    const { keytype, keyval } = vendor.publicKey;
    const put = (path: string, body: unknown) =>
      server.call(path, {
        ...{ method: "PUT", body: JSON.stringify(body), headers: { "content-type": "application/json" } },
      });
    await put("/trusted-delegations/keys", [{ keytype, keyval: { public: keyval.public } }]);
    const keyids = [serverKeyId(vendor.publicKey)];
    await put("/trusted-delegations", [{ name: "v", keyids, paths: ["v-*"], threshold: 1, terminating: true }]);
    const tool = await openPulled();
    const expires = formatExpires(new Date(clock.now.getTime() + 86_400_000));
    const document = sign({ _type: "Targets", version: 1, expires, targets: {} }, [signerOf(vendor)]);
    await tool.delegationsPush("v", document);
    expect(JSON.parse((await tool.delegationsPull("v")).toString("utf8"))).toEqual(document);
    const refused = tool.delegationsPush("w", document);
    await expect(refused).rejects.toMatchObject({ status: 400, code: "delegations_not_defined" });
  });

  it("follows a rotation along the chain, and is told when somebody else pushed meanwhile", async () => {
    const [first, second] = [await openPulled(), await openPulled()];
    await first.rootRotate();
    await first.rootRotate();
    for (const tool of [first, second]) {
      expect(await tool.rootPull()).toBe(3);
      await tool.targetsPull();
    }
    const key = await borrowKey("targets");
    for (const [index, tool] of [first, second].entries()) {
      tool.targetsAdd(ostreeTarget(`${index}`));
      tool.targetsSign([key]);
    }
    await first.targetsPush();
    await expect(second.targetsPush()).rejects.toMatchObject({ status: 412, code: "role_checksum_mismatch" });
    await second.targetsPull();
    second.targetsAdd(ostreeTarget("1"));
    second.targetsSign([key]);
    await second.targetsPush();
    expect(await namesNow()).toEqual(["os-0", "os-1"]);
  });

  it("sends a file in one piece to a server that knows no parts", async () => {
    const front = http.createServer((req, res) => {
      if (req.url?.includes("/multipart/")) {
        res.writeHead(501, { "content-type": "application/json" }).end(JSON.stringify({ code: "not_implemented" }));
        return;
      }
      const { method, headers } = req;
      const onward = http.request(`${server.url}${req.url}`, { method, headers }, (answer) => {
        res.writeHead(answer.statusCode ?? 500, answer.headers);
        answer.pipe(res);
      });
      req.pipe(onward);
    });
    await new Promise<void>((done) => front.listen(0, "127.0.0.1", done));
    try {
      const { port } = front.address() as { port: number };
      const tool = openTool(`http://127.0.0.1:${port}`);
      await tool.rootPull();
      await tool.targetsPull();
      const app = await tool.targetsUpload({ name: "app", version: "1", hardwareIds: ["rpi4"] }, BYTES);
      tool.targetsSign([await borrowKey("targets")]);
      await tool.targetsPush();
      expect((await bytesOf(server.call(`/targets/${app}`))).equals(BYTES)).toBe(true);
    } finally {
      front.closeAllConnections();
      front.close();
    }
  });
});

describe("a push that breaks off", () => {
  it("loses nothing when the connection is cut, wherever it was, and goes through when repeated", async () => {
    const { port } = new URL(server.url);
    const wire = await openTcpProxy({ host: "127.0.0.1", port: Number(port) });
    try {
      const tool = openTool(`http://127.0.0.1:${wire.port}`);
      const key = await borrowKey("targets");
      await tool.rootPull();
      await tool.targetsPull();
      await tool.targetsUpload({ name: "app", version: "1", hardwareIds: ["rpi4"] }, BYTES);
      for (let version = 0; version < 300; version += 1) tool.targetsAdd(ostreeTarget(`${version}`));
      tool.targetsSign([key]);
      for (let round = 0; round < 4; round += 1) {
        const pushed = tool.targetsPush().then(
          () => true,
          () => false,
        );
        const timer = setTimeout(() => wire.cut(), round * 40);
        await pushed;
        clearTimeout(timer);
        wire.restore();
        // What was cut may be put in force while a device reads; it then reads again.
        const names = await eventually(namesNow);
        expect([0, 301]).toContain(names.length);
      }
      await tool.targetsPush();
      expect((await namesNow()).length).toBe(301);
      expect((await bytesOf(other.call("/targets/app-1"))).equals(BYTES)).toBe(true);
    } finally {
      await wire.close();
    }
  });

  it("loses nothing when the services close in its middle", async () => {
    const third = await startServer(ctx);
    const tool = openTool(third.url);
    const key = await borrowKey("targets");
    await tool.rootPull();
    await tool.targetsPull();
    await tool.targetsUpload({ name: "app", version: "1", hardwareIds: ["rpi4"] }, BYTES);
    tool.targetsSign([key]);
    const pushed = tool.targetsPush().catch(() => null);
    await Promise.all([third.app.close(), pushed]);
    const again = openTool();
    await again.rootPull();
    await again.targetsPull();
    if (again.targetNames().length === 0) {
      again.takeSigned(tool.signedTargets() ?? {});
      await again.targetsPush();
    }
    expect(await namesNow()).toEqual(["app-1"]);
    expect((await bytesOf(other.call("/targets/app-1"))).equals(BYTES)).toBe(true);
  });
});

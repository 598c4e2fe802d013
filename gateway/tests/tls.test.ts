import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import https from "node:https";
import net from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { renewDoorCertificate } from "#services/authorities/service.ts";
import type { Credentials, TestDoor } from "#tests/harness/door.ts";
import { type DoorSite, openDoorSite } from "#tests/harness/door-site.ts";
import type { IdentityWorld } from "#tests/harness/identity.ts";
import { type OpensslFolder, openssl } from "#tests/pki/openssl.ts";

let site: DoorSite;
let world: IdentityWorld;
let door: TestDoor;
let device: Credentials;
let folder: OpensslFolder;

beforeAll(async () => {
  site = await openDoorSite();
  ({ world } = site);
  door = await site.openDoor();
  device = await site.newDevice();
  folder = openssl();
  folder.write("client.pem", device.pem);
  folder.write("pkey.pem", device.privateKeyPem);
  folder.write("root.crt", door.rootPem);
});
afterAll(async () => {
  folder.remove();
  await site.close();
});

const REQUEST = "GET /director/targets.json HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
const client = (args: string) =>
  folder.talk(
    `s_client -connect 127.0.0.1:${door.door.port} -servername localhost -CAfile root.crt -cert client.pem -key pkey.pem -ign_eof ${args}`,
    REQUEST,
  );

describe("the handshake", () => {
  it.each(["tls1_2", "tls1_3"])(
    "resumes no session over %s, so that each connection proves the key",
    async (version) => {
      const first = await client(`-${version} -sess_out session.pem`);
      expect(first).toContain("HTTP/1.1 200");
      const again = await client(`-${version} -sess_in session.pem`).catch(String);
      // Without a session file there was nothing to resume in the first place.
      if (!again.includes("session.pem")) expect(again).toContain("HTTP/1.1 200");
      expect(again).not.toContain("Reused,");
    },
  );

  it("names no authorities to clients and verifies against the root that devices get", async () => {
    const printed = await client("-tls1_2");
    expect(printed).toContain("No client certificate CA names sent");
    expect(printed).toContain("Verify return code: 0 (ok)");
  });

  it("refuses TLS 1.1 and older", async () => {
    expect(await client("-tls1_1 -cipher DEFAULT@SECLEVEL=0")).not.toContain("HTTP/1.1");
  });

  it("speaks HTTP/1.1 alone", async () => {
    const printed = await client("-alpn h2,http/1.1");
    expect(printed).toContain("ALPN protocol: http/1.1");
    expect(await client("-alpn h2")).not.toContain("HTTP/1.1 200");
  });

  it("does not renegotiate, which could swap the certificate under a live connection", async () => {
    const socket = await door.connect(device, { maxVersion: "TLSv1.2" });
    const refused = new Promise((done) => {
      socket.on("error", (err) => done("code" in err ? err.code : err));
      socket.renegotiate({}, (err) => done(err === null ? "renegotiated" : err));
    });
    expect(await refused).toBe("ERR_SSL_NO_RENEGOTIATION");
    socket.destroy();
  });

  it("takes a renewed certificate into use without a restart", async () => {
    const ctx = { ...world.ctx, config: { ...world.ctx.config, GATEWAY_HOST: ["localhost", "renewed.example"] } };
    world.clock.advance(1_000);
    await renewDoorCertificate(ctx);
    await door.door.refreshCertificate();
    const socket = await door.connect(device);
    const served = new X509Certificate(socket.getPeerX509Certificate()?.raw ?? "");
    socket.destroy();
    expect(served.checkHost("renewed.example")).toBe("renewed.example");
  });
});

describe("a connection", () => {
  it("may be kept open and is judged anew at each request", async () => {
    const agent = new https.Agent({
      keepAlive: true,
      maxSockets: 1,
      cert: device.pem,
      key: device.privateKeyPem,
      ca: door.rootPem,
    });
    const ports = new Set<number | undefined>();
    for (let count = 0; count < 3; count++) {
      const status = await new Promise((done, fail) => {
        https
          .get(
            { agent, host: "127.0.0.1", port: door.door.port, servername: "localhost", path: "/director/targets.json" },
            (res) => {
              ports.add(res.socket.localPort);
              res.resume().on("end", () => done(res.statusCode));
            },
          )
          .on("error", fail);
      });
      expect(status).toBe(200);
    }
    agent.destroy();
    expect(ports.size).toBe(1);
  });

  it("that says nothing TLS, or sends endless headers, is ended without harm to others", async () => {
    const socket = await door.connect(device);
    const closed = once(socket, "close");
    socket.on("error", () => undefined).resume();
    socket.write(`GET / HTTP/1.1\r\nhost: x\r\n${"x: y\r\n".repeat(5_000)}\r\n`);
    await closed;
    const plain = net.connect(door.door.port, "127.0.0.1");
    const ended = once(plain, "close");
    plain.on("error", () => undefined).resume();
    plain.write(Buffer.from("GET / HTTP/1.1\r\n\r\n"));
    await ended;
    expect((await door.request(device)).status).toBe(200);
  });
});

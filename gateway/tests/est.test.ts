import { execFile } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { CreateEnrolmentToken } from "#lib/contracts/console/enrolment.ts";
import { AppError } from "#lib/errors/app-error.ts";
import { parseCertificate } from "#lib/pki/certificates.ts";
import { createEnrolmentToken, revokeEnrolmentToken } from "#services/enrolment/service.ts";
import { listRefusals, revokeCertificate } from "#services/identity/service.ts";
import type { RecordingUpstream, TestDoor } from "#tests/harness/door.ts";
import { type DoorSite, openDoorSite } from "#tests/harness/door-site.ts";
import { type EstClient, estClient, P256 } from "#tests/harness/est.ts";
import { eventually } from "#tests/harness/eventually.ts";
import { actorOf, type IdentityWorld } from "#tests/harness/identity.ts";
import { type OpensslFolder, openssl } from "#tests/pki/openssl.ts";

const admin = actorOf("admin");
const DAY_MS = 86_400_000;
const run = promisify(execFile);
let site: DoorSite;
let world: IdentityWorld;
let upstream: RecordingUpstream;
let door: TestDoor;
let folder: OpensslFolder;
let est: EstClient;

beforeAll(async () => {
  site = await openDoorSite();
  ({ world, upstream } = site);
  door = await site.openDoor();
  folder = openssl();
  est = estClient(door, folder);
});
afterAll(async () => {
  folder.remove();
  await site.close();
});

async function token(change: Partial<CreateEnrolmentToken> = {}) {
  const input = { description: "Line 4", uses: 10, expiresInDays: 30, policy: "allowed" as const, ...change };
  return createEnrolmentToken(world.ctx, admin, input);
}

const isListed = (code: string, detail: object | string | null = null) =>
  eventually(async () => {
    const { data } = await listRefusals(world.ctx, admin, { limit: 200 });
    expect(data.find((refusal) => refusal.code === code)).toMatchObject({ code, detail });
  });

describe("for everybody", () => {
  it("cacerts gives the authority that signs devices and the one of the door, by name too", async () => {
    const all = await est.curl("cacerts");
    expect(all.headers).toContain("content-type: application/pkcs7-mime");
    const found = est.certificates(all);
    expect(found.map(({ isCa }) => isCa)).toEqual([true, true]);
    expect(found.map(({ fingerprint }) => fingerprint)).toContain(parseCertificate(door.rootPem).fingerprint);
    expect(est.certificates(await est.curl("Gatehouse%20fleet%20CA/cacerts"))).toHaveLength(2);
    expect((await est.curl("Nobody/cacerts")).status).toBe(404);
  });

  it("csrattrs asks for P-256 and SHA-256", async () => {
    const reply = await est.curl("csrattrs");
    expect([reply.status, reply.headers]).toEqual([200, expect.stringContaining("application/csrattrs")]);
    folder.write("attrs.pem", `-----BEGIN X-----\n${reply.text}-----END X-----\n`);
    expect(folder.run("asn1parse -in attrs.pem")).toContain("prime256v1");
  });

  it.each([
    ["GET", "simpleenroll", 405],
    ["POST", "cacerts", 405],
    ["GET", "serverkeygen", 404],
    ["GET", "a/b/cacerts", 404],
  ])("%s %s does not exist", async (method, path, status) => {
    expect((await est.curl(path, "-X", method)).status).toBe(status);
  });
});

describe("simpleenroll with a token", () => {
  it("gives a device that the door lets in, under the name it gave, with a subject that is ours", async () => {
    const { handout } = await token({ hardwareId: "rpi4", groupId: world.registry.group.id });
    est.request("truck-1", P256, "/CN=somebody-else/O=Evil");
    const reply = await est.curl("simpleenroll", "-u", `truck-1:${handout.secret}`, ...est.post("truck-1"));
    expect(reply.headers).toContain("smime-type=certs-only");
    expect(reply.headers).toContain("content-transfer-encoding: base64");
    const leaf = est.save("truck-1", reply);
    expect(leaf.subjectDn).toBe(`CN=${leaf.subjectCn}`);
    expect((await est.visit("truck-1")).status).toBe(200);
    expect(upstream.requests.at(-1)?.url).toBe(`/api/v1/device/${leaf.subjectCn}/targets.json`);
    expect(world.registry.created.at(-1)).toMatchObject({ uuid: leaf.subjectCn, deviceId: "truck-1" });
    expect(world.registry.group.members).toContain(leaf.subjectCn);
  });

  it("is what the command does that is handed out, run as it is, again without a second use", async () => {
    const { token: made, handout } = await token({ uses: 1 });
    const command = handout.command.replaceAll("localhost:8443", `localhost:${door.door.port}`);
    const cwd = `${folder.path}/bare`;
    mkdirSync(cwd);
    for (let time = 0; time < 2; time++) await run("sh", ["-c", command], { cwd });
    const pem = folder.read("bare/gatehouse/device.pem");
    const start = pem.indexOf("-----BEGIN");
    const device = { pem: pem.slice(start), privateKeyPem: folder.read("bare/gatehouse/device.key") };
    expect((await door.request(device)).status).toBe(200);
    expect(JSON.parse(handout.qrText)).toEqual({
      est: "https://localhost:8443/.well-known/est",
      token: handout.secret,
      caSha256: parseCertificate(door.rootPem).fingerprint,
    });
    await revokeEnrolmentToken(world.ctx, admin, made.id);
    await expect(run("sh", ["-c", `rm -r gatehouse; ${command}`], { cwd })).rejects.toMatchObject({ code: 1 });
  });

  it("takes a bearer token and base64 on one line, and calls the device as its request does", async () => {
    const { handout } = await token();
    est.request("truck-2");
    writeFileSync(`${folder.path}/truck-2.csr`, folder.read("truck-2.csr").replaceAll("\n", ""));
    const reply = await est.curl(
      "simpleenroll",
      "-H",
      `authorization: Bearer ${handout.secret}`,
      ...est.post("truck-2"),
    );
    const leaf = est.save("truck-2", reply);
    expect(world.registry.created.at(-1)).toMatchObject({ uuid: leaf.subjectCn, deviceId: "truck-2" });
  });

  it("has its devices wait at the door when the token says so", async () => {
    const { handout } = await token({ policy: "pending" });
    await est.enrolled("waits", handout.secret);
    expect(await est.visit("waits")).toMatchObject({ status: 403, code: "pending" });
  });

  it("gives the same certificate again when the reply was lost, even with the last use", async () => {
    const { handout } = await token({ uses: 1 });
    const first = await est.enrolled("lost", handout.secret);
    const again = est.save("lost", await est.curl("simpleenroll", "-u", `lost:${handout.secret}`, ...est.post("lost")));
    expect(again.fingerprint).toBe(first.fingerprint);
    est.request("late");
    const late = await est.curl("simpleenroll", "-u", `late:${handout.secret}`, ...est.post("late"));
    expect(late).toMatchObject({ status: 403, code: "token_exhausted" });
    expect(world.registry.created.map(({ deviceId }) => deviceId)).not.toContain("late");
    await isListed("token_exhausted", expect.stringMatching(/^The token “Line 4”, made by admin, was good for 1\.$/));
  });

  it("lets one of many through on the last use, and leaves nothing of the others", async () => {
    const { handout } = await token({ uses: 1 });
    const names = ["race-1", "race-2", "race-3", "race-4"];
    for (const name of names) est.request(name);
    const replies = await Promise.all(
      names.map((name) => est.curl("simpleenroll", "-u", `${name}:${handout.secret}`, ...est.post(name))),
    );
    expect(replies.map(({ status }) => status).sort()).toEqual([200, 403, 403, 403]);
    expect(world.registry.created.filter(({ deviceId }) => names.includes(deviceId))).toHaveLength(1);
  });

  it("makes one device of one key, asked for at the same time", async () => {
    const { token: made, handout } = await token({ uses: 5 });
    est.request("twin");
    const ask = () => est.curl("simpleenroll", "-u", `twin:${handout.secret}`, ...est.post("twin"));
    const [one, two] = (await Promise.all([ask(), ask()])).map((reply) => est.save("twin", reply).fingerprint);
    expect(one).toBe(two);
    expect(world.registry.created.filter(({ deviceId }) => deviceId === "twin")).toHaveLength(1);
    const row = await world.ctx.db.enrolmentToken.findUnique({ where: { id: made.id } });
    expect(row?.usesLeft).toBe(4);
  });

  it("costs nothing while the registry is away, and goes on where it stopped", async () => {
    const { handout } = await token({ uses: 1 });
    est.request("patient");
    const ask = () => est.curl("simpleenroll", "-u", `patient:${handout.secret}`, ...est.post("patient"));
    world.registry.failWith = new AppError("backend.unreachable", "Away.");
    const away = await ask();
    world.registry.failWith = null;
    expect([away.status, away.code, away.headers.includes("retry-after")]).toEqual([503, "back_end_unreachable", true]);
    est.save("patient", await ask());
  });

  it("goes on where a crash stopped it: the registry has the device, and nobody has its certificate", async () => {
    const { handout } = await token({ uses: 1 });
    est.request("crashed");
    const ask = () => est.curl("simpleenroll", "-u", `crashed:${handout.secret}`, ...est.post("crashed"));
    const { createDevice } = world.registry;
    world.registry.createDevice = async (...call) => {
      await createDevice(...call);
      throw new Error("the end of the process");
    };
    expect((await ask()).status).toBe(503);
    world.registry.createDevice = createDevice;
    est.save("crashed", await ask());
    expect(world.registry.created.filter(({ deviceId }) => deviceId === "crashed")).toHaveLength(1);
  });

  it("refuses an id that is another device's, and a key whose certificate was revoked", async () => {
    const { handout } = await token();
    const leaf = await est.enrolled("owner", handout.secret);
    est.request("thief");
    for (const name of ["owner", leaf.subjectCn]) {
      const reply = await est.curl("simpleenroll", "-u", `${name}:${handout.secret}`, ...est.post("thief"));
      expect(reply).toMatchObject({ status: 409, code: "device_already_registered" });
    }
    await revokeCertificate(world.ctx, admin, { fingerprint: leaf.fingerprint, reason: "keyCompromise" });
    const again = await est.curl("simpleenroll", "-u", `owner:${handout.secret}`, ...est.post("owner"));
    expect(again).toMatchObject({ status: 403, code: "key_refused" });
    const who = "Asked by what calls itself “owner” with the token “Line 4”, made by admin\\.$";
    await isListed(
      "key_refused",
      expect.stringMatching(new RegExp(`of owner has this key; it is revoked here\\. ${who}`)),
    );
    await isListed(
      "device_already_registered",
      expect.stringMatching(/^Another device is registered as “.+”\. Asked by/),
    );
  });
});

describe("who gets no certificate", () => {
  let good: string;
  beforeAll(async () => {
    good = (await token()).handout.secret;
    est.request("plain");
    est.request("rsa", "-newkey rsa:1024");
    const altered = Buffer.from(folder.read("plain.csr").replaceAll("\n", ""), "base64");
    altered.writeUInt8(altered.readUInt8(altered.length - 1) ^ 1, altered.length - 1);
    folder.write("altered.csr", altered.toString("base64"));
    folder.write("text.csr", "hello, world!");
    folder.write("huge.csr", "A".repeat(40_000));
  });

  it.each([
    ["a request that its key did not sign", "altered", 400, "csr_bad_proof"],
    ["a weak key", "rsa", 400, "csr_weak_key"],
    ["something else than a request", "text", 400, "csr_malformed"],
    ["more than a request", "huge", 413, "payload_too_large"],
  ])("whoever sends %s", async (_, name, status, code) => {
    const reply = await est.curl("simpleenroll", "-u", `x:${good}`, ...est.post(name));
    expect(reply).toMatchObject({ status, code });
    expect(reply.headers).toContain("content-type: text/plain");
  });

  it("whoever sends a request as a form, asks by the name of another authority, or shows nothing", async () => {
    const form = await est.curl("simpleenroll", "-u", `x:${good}`, "--data-binary", "@plain.csr");
    expect(form).toMatchObject({ status: 400, code: "wrong_content_type" });
    const other = await est.curl("Other/simpleenroll", "-u", `x:${good}`, ...est.post("plain"));
    expect(other).toMatchObject({ status: 403, code: "authority_not_offered" });
    const nobody = await est.curl("simpleenroll", ...est.post("plain"));
    expect(nobody).toMatchObject({ status: 401, code: "not_authenticated" });
    expect(nobody.headers).toContain('www-authenticate: basic realm="estrealm"');
    expect(await est.curl("simplereenroll", ...est.post("plain"))).toMatchObject({
      status: 403,
      code: "no_certificate",
    });
  });

  it("a token that is unknown, not valid yet, expired or revoked, each with its code", async () => {
    const ask = (secret: string) => est.curl("simpleenroll", "-u", `x:${secret}`, ...est.post("plain"));
    for (const wrong of ["", "nonsense", `ght_${"A".repeat(43)}`]) {
      expect(await ask(wrong)).toMatchObject({ status: 401, code: "token_unknown" });
    }
    const later = new Date(world.clock.now.getTime() + DAY_MS).toISOString();
    const early = await token({ validFrom: later });
    expect(await ask(early.handout.secret)).toMatchObject({ code: "token_not_yet_valid" });
    const revoked = await token();
    await revokeEnrolmentToken(world.ctx, admin, revoked.token.id);
    expect(await ask(revoked.handout.secret)).toMatchObject({ code: "token_revoked" });
    const expired = await token({ expiresInDays: 1 });
    const { now } = world.clock;
    world.clock.advance(2 * DAY_MS);
    expect(await ask(expired.handout.secret)).toMatchObject({ code: "token_expired" });
    world.clock.now = now;
    await isListed("token_unknown");
    await isListed("csr_bad_proof", "Asked by what calls itself “x” with the token “Line 4”, made by admin.");
    await isListed(
      "authority_not_offered",
      expect.stringMatching(/^The address names Other; .* with the token “Line 4”/),
    );
    await isListed("token_revoked", expect.stringContaining("was revoked by admin on "));
    await isListed("token_expired", expect.stringContaining("was valid until "));
  });

  it("whoever tries again and again from one address, for a minute", async () => {
    const shown = { method: "POST", path: "/.well-known/est/simpleenroll", body: "x" } as const;
    const headers = { authorization: "Bearer wrong", "content-type": "application/pkcs10" };
    let status = 401;
    for (let time = 0; time < 100 && status === 401; time++) {
      status = (await door.request(null, { ...shown, headers })).status;
    }
    expect(status).toBe(429);
    world.clock.advance(61_000);
    expect((await door.request(null, { ...shown, headers })).status).toBe(401);
  });
});

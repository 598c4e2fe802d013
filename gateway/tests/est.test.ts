import { execFile } from "node:child_process";
import { randomUUID } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { CreateEnrolmentToken } from "#lib/contracts/console/enrolment.ts";
import { ADMISSION_CHANNEL, notify } from "#lib/db/events.ts";
import { AppError } from "#lib/errors/app-error.ts";
import { parseCertificate } from "#lib/pki/certificates.ts";
import { createFleetCa } from "#lib/pki/issue.ts";
import { createEnrolmentToken, revokeEnrolmentToken } from "#services/enrolment/service.ts";
import { listRefusals, revokeCertificate } from "#services/identity/service.ts";
import { createTestDatabase, type TestDatabase } from "#tests/harness/database.ts";
import { openRecordingUpstream, openTestDoor, type RecordingUpstream, type TestDoor } from "#tests/harness/door.ts";
import { eventually } from "#tests/harness/eventually.ts";
import { actorOf, type IdentityWorld, identityWorld } from "#tests/harness/identity.ts";
import { type OpensslFolder, openssl } from "#tests/pki/openssl.ts";

const admin = actorOf("admin");
const DAY_MS = 86_400_000;
const run = promisify(execFile);
let database: TestDatabase;
let world: IdentityWorld;
let upstream: RecordingUpstream;
let door: TestDoor;
let folder: OpensslFolder;

beforeAll(async () => {
  database = await createTestDatabase();
  world = identityWorld(database.url);
  upstream = await openRecordingUpstream();
  door = await openTestDoor({ ctx: world.ctx, databaseUrl: database.url, upstreamUrl: upstream.url });
  folder = openssl();
  folder.write("ca.pem", door.rootPem);
});
afterAll(async () => {
  folder.remove();
  await door.close();
  await upstream.close();
  await world.ctx.db.$disconnect();
  await database.drop();
});

async function token(change: Partial<CreateEnrolmentToken> = {}) {
  const input = { description: "Line 4", uses: 10, expiresInDays: 30, policy: "allowed" as const, ...change };
  return createEnrolmentToken(world.ctx, admin, input);
}

const P256 = "-newkey ec -pkeyopt ec_paramgen_curve:P-256";

/** A key and a request for it, made by openssl; base64 with line breaks. */
function request(name: string, how = P256, subject = `/CN=${name}`): void {
  folder.run(`req -new -nodes ${how} -keyout ${name}.key -subj ${subject} -outform DER -out ${name}.der`);
  folder.run(`base64 -in ${name}.der -out ${name}.csr`);
}

type Seen = { status: number; code: string | null; text: string; headers: string };

/** Curl, with its own idea of TLS and HTTP. */
async function curl(path: string, ...args: string[]): Promise<Seen> {
  const url = `https://localhost:${door.door.port}/.well-known/est/${path}`;
  const { stdout } = await run("curl", ["-sS", "-i", "--cacert", "ca.pem", ...args, url], { cwd: folder.path });
  const end = stdout.indexOf("\r\n\r\n");
  const headers = stdout.slice(0, end).toLowerCase();
  return {
    headers,
    status: Number(/^http\/1\.1 (\d+)/.exec(headers)?.[1]),
    code: /x-gatehouse-code: (\S+)/.exec(headers)?.[1] ?? null,
    text: stdout.slice(end + 4),
  };
}

const post = (name: string) => ["-H", "content-type: application/pkcs10", "--data-binary", `@${name}.csr`];
const as = (name: string) => ["--cert", `${name}.pem`, "--key", `${name}.key`];

/** Opens the reply with openssl. */
function certificates(reply: Seen): string[] {
  const name = randomUUID();
  folder.write(`${name}.b64`, reply.text);
  folder.run(`base64 -d -in ${name}.b64 -out ${name}.p7`);
  const printed = folder.run(`pkcs7 -inform DER -in ${name}.p7 -print_certs`);
  return printed.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
}

function save(name: string, reply: Seen) {
  expect([reply.status, reply.text.slice(0, 80)]).toEqual([200, expect.stringMatching(/^MI/)]);
  const [pem = "", ...more] = certificates(reply);
  expect(more).toEqual([]);
  folder.write(`${name}.pem`, `${pem}\n`);
  return parseCertificate(pem);
}

/** Enrols a device of this name by token. */
async function enrolled(name: string, secret: string) {
  request(name);
  return save(name, await curl("simpleenroll", "-u", `${name}:${secret}`, ...post(name)));
}

/** What the device door says to a request of this device. */
const visit = (name: string) =>
  door.request({ pem: folder.read(`${name}.pem`), privateKeyPem: folder.read(`${name}.key`) });

const isListed = (code: string) =>
  eventually(async () => {
    const { data } = await listRefusals(world.ctx, admin, { limit: 200 });
    expect(data.map((refusal) => refusal.code)).toContain(code);
  });

describe("for everybody", () => {
  it("cacerts gives the authority that signs devices and the one of the door, by name too", async () => {
    const all = await curl("cacerts");
    expect(all.headers).toContain("content-type: application/pkcs7-mime");
    const found = certificates(all).map((pem) => parseCertificate(pem));
    expect(found.map(({ isCa }) => isCa)).toEqual([true, true]);
    expect(found.map(({ fingerprint }) => fingerprint)).toContain(parseCertificate(door.rootPem).fingerprint);
    expect(certificates(await curl("Gatehouse%20fleet%20CA/cacerts"))).toHaveLength(2);
    expect((await curl("Nobody/cacerts")).status).toBe(404);
  });

  it("csrattrs asks for P-256 and SHA-256", async () => {
    const reply = await curl("csrattrs");
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
    expect((await curl(path, "-X", method)).status).toBe(status);
  });
});

describe("simpleenroll with a token", () => {
  it("gives a device that the door lets in, under the name it gave, with a subject that is ours", async () => {
    const { handout } = await token({ hardwareId: "rpi4", groupId: world.registry.group.id });
    request("truck-1", P256, "/CN=somebody-else/O=Evil");
    const reply = await curl("simpleenroll", "-u", `truck-1:${handout.secret}`, ...post("truck-1"));
    expect(reply.headers).toContain("smime-type=certs-only");
    expect(reply.headers).toContain("content-transfer-encoding: base64");
    const leaf = save("truck-1", reply);
    expect(leaf.subjectDn).toBe(`CN=${leaf.subjectCn}`);
    expect((await visit("truck-1")).status).toBe(200);
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
    request("truck-2");
    writeFileSync(`${folder.path}/truck-2.csr`, folder.read("truck-2.csr").replaceAll("\n", ""));
    const reply = await curl("simpleenroll", "-H", `authorization: Bearer ${handout.secret}`, ...post("truck-2"));
    const leaf = save("truck-2", reply);
    expect(world.registry.created.at(-1)).toMatchObject({ uuid: leaf.subjectCn, deviceId: "truck-2" });
  });

  it("has its devices wait at the door when the token says so", async () => {
    const { handout } = await token({ policy: "pending" });
    await enrolled("waits", handout.secret);
    expect(await visit("waits")).toMatchObject({ status: 403, code: "pending" });
  });

  it("gives the same certificate again when the reply was lost, even with the last use", async () => {
    const { handout } = await token({ uses: 1 });
    const first = await enrolled("lost", handout.secret);
    const again = save("lost", await curl("simpleenroll", "-u", `lost:${handout.secret}`, ...post("lost")));
    expect(again.fingerprint).toBe(first.fingerprint);
    request("late");
    const late = await curl("simpleenroll", "-u", `late:${handout.secret}`, ...post("late"));
    expect(late).toMatchObject({ status: 403, code: "token_exhausted" });
    expect(world.registry.created.map(({ deviceId }) => deviceId)).not.toContain("late");
    await isListed("token_exhausted");
  });

  it("lets one of many through on the last use, and leaves nothing of the others", async () => {
    const { handout } = await token({ uses: 1 });
    const names = ["race-1", "race-2", "race-3", "race-4"];
    for (const name of names) request(name);
    const replies = await Promise.all(
      names.map((name) => curl("simpleenroll", "-u", `${name}:${handout.secret}`, ...post(name))),
    );
    expect(replies.map(({ status }) => status).sort()).toEqual([200, 403, 403, 403]);
    expect(world.registry.created.filter(({ deviceId }) => names.includes(deviceId))).toHaveLength(1);
  });

  it("makes one device of one key, asked for at the same time", async () => {
    const { token: made, handout } = await token({ uses: 5 });
    request("twin");
    const ask = () => curl("simpleenroll", "-u", `twin:${handout.secret}`, ...post("twin"));
    const [one, two] = (await Promise.all([ask(), ask()])).map((reply) => save("twin", reply).fingerprint);
    expect(one).toBe(two);
    expect(world.registry.created.filter(({ deviceId }) => deviceId === "twin")).toHaveLength(1);
    const row = await world.ctx.db.enrolmentToken.findUnique({ where: { id: made.id } });
    expect(row?.usesLeft).toBe(4);
  });

  it("costs nothing while the registry is away, and goes on where it stopped", async () => {
    const { handout } = await token({ uses: 1 });
    request("patient");
    const ask = () => curl("simpleenroll", "-u", `patient:${handout.secret}`, ...post("patient"));
    world.registry.failWith = new AppError("backend.unreachable", "Away.");
    const away = await ask();
    world.registry.failWith = null;
    expect([away.status, away.code, away.headers.includes("retry-after")]).toEqual([503, "back_end_unreachable", true]);
    save("patient", await ask());
  });

  it("refuses an id that is another device's, and a key whose certificate was revoked", async () => {
    const { handout } = await token();
    const leaf = await enrolled("owner", handout.secret);
    request("thief");
    for (const name of ["owner", leaf.subjectCn]) {
      const reply = await curl("simpleenroll", "-u", `${name}:${handout.secret}`, ...post("thief"));
      expect(reply).toMatchObject({ status: 409, code: "device_already_registered" });
    }
    await revokeCertificate(world.ctx, admin, { fingerprint: leaf.fingerprint, reason: "keyCompromise" });
    const again = await curl("simpleenroll", "-u", `owner:${handout.secret}`, ...post("owner"));
    expect(again).toMatchObject({ status: 403, code: "key_refused" });
  });
});

describe("who gets no certificate", () => {
  let good: string;
  beforeAll(async () => {
    good = (await token()).handout.secret;
    request("plain");
    request("rsa", "-newkey rsa:1024");
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
    const reply = await curl("simpleenroll", "-u", `x:${good}`, ...post(name));
    expect(reply).toMatchObject({ status, code });
    expect(reply.headers).toContain("content-type: text/plain");
  });

  it("whoever sends a request as a form, asks by the name of another authority, or shows nothing", async () => {
    const form = await curl("simpleenroll", "-u", `x:${good}`, "--data-binary", "@plain.csr");
    expect(form).toMatchObject({ status: 400, code: "wrong_content_type" });
    const other = await curl("Other/simpleenroll", "-u", `x:${good}`, ...post("plain"));
    expect(other).toMatchObject({ status: 403, code: "authority_not_offered" });
    const nobody = await curl("simpleenroll", ...post("plain"));
    expect(nobody).toMatchObject({ status: 401, code: "not_authenticated" });
    expect(nobody.headers).toContain('www-authenticate: basic realm="estrealm"');
    expect(await curl("simplereenroll", ...post("plain"))).toMatchObject({ status: 403, code: "no_certificate" });
  });

  it("a token that is unknown, not valid yet, expired or revoked, each with its code", async () => {
    const ask = (secret: string) => curl("simpleenroll", "-u", `x:${secret}`, ...post("plain"));
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
    for (const code of ["token_unknown", "token_revoked", "token_expired", "csr_bad_proof"]) await isListed(code);
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

describe("simplereenroll", () => {
  let secret: string;
  beforeAll(async () => {
    secret = (await token({ uses: 100 })).handout.secret;
  });

  it("gives the same device a certificate for a new key, which ends the old one after its grace", async () => {
    const old = await enrolled("renews", secret);
    expect((await visit("renews")).status).toBe(200);
    request("renewed");
    const fresh = save("renewed", await curl("simplereenroll", ...as("renews"), ...post("renewed")));
    expect(fresh.subjectCn).toBe(old.subjectCn);
    expect((await visit("renews")).status).toBe(200);
    expect((await visit("renewed")).status).toBe(200);
    expect(upstream.requests.at(-1)?.url).toBe(`/api/v1/device/${old.subjectCn}/targets.json`);
    request("too-late");
    const replaced = await curl("simplereenroll", ...as("renews"), ...post("too-late"));
    expect(replaced).toMatchObject({ status: 403, code: "renewal_not_in_place" });
    const { now } = world.clock;
    world.clock.advance(8 * DAY_MS);
    expect(await visit("renews")).toMatchObject({ status: 403, code: "superseded" });
    expect((await visit("renewed")).status).toBe(200);
    world.clock.now = now;
  });

  it("gives the renewal again whose reply was lost, and takes the present key once more", async () => {
    const old = await enrolled("same-key", secret);
    const ask = async () => {
      const reply = await curl("simplereenroll", ...as("same-key"), ...post("same-key"));
      return parseCertificate(certificates(reply)[0] ?? "");
    };
    const first = await ask();
    expect(first.fingerprint).not.toBe(old.fingerprint);
    expect(first.spkiSha256).toBe(old.spkiSha256);
    expect((await ask()).fingerprint).toBe(first.fingerprint);
  });

  it("works as simpleenroll with the device's certificate, too", async () => {
    const old = await enrolled("by-certificate", secret);
    request("by-certificate-2");
    const reply = await curl("simpleenroll", ...as("by-certificate"), ...post("by-certificate-2"));
    expect(save("by-certificate-2", reply).subjectCn).toBe(old.subjectCn);
  });

  it("keeps the newest five that are not used, and none of them once one is", async () => {
    await enrolled("many", secret);
    for (let at = 0; at < 6; at++) {
      request(`many-${at}`);
      save(`many-${at}`, await curl("simplereenroll", ...as("many"), ...post(`many-${at}`)));
      world.clock.advance(1_000);
    }
    expect(await visit("many-0")).toMatchObject({ status: 403, code: "superseded" });
    expect((await visit("many-3")).status).toBe(200);
    expect(await visit("many-5")).toMatchObject({ status: 403, code: "superseded" });
    expect((await visit("many-3")).status).toBe(200);
  });

  it("refuses a key that another device has", async () => {
    await enrolled("has-key", secret);
    await enrolled("wants-key", secret);
    const reply = await curl("simplereenroll", ...as("wants-key"), ...post("has-key"));
    expect(reply).toMatchObject({ status: 403, code: "key_known" });
  });

  it("refuses whoever is not let in: revoked, of a revoked authority, or a stranger", async () => {
    const leaf = await enrolled("cut-off", secret);
    request("next");
    const ask = (name: string) => curl("simplereenroll", ...as(name), ...post("next"));
    await revokeCertificate(world.ctx, admin, { fingerprint: leaf.fingerprint });
    expect(await ask("cut-off")).toMatchObject({ status: 403, code: "revoked" });
    folder.run(`req -x509 -nodes ${P256} -keyout stranger.key -subj /CN=${randomUUID()} -out stranger.pem`);
    expect(await ask("stranger")).toMatchObject({ status: 403, code: "unknown_authority" });
  });

  it("comes from the newest open authority once the one before is closed, and survives its revocation", async () => {
    await enrolled("rollover", secret);
    const change = async (state: string) => {
      await world.ctx.db.authority.updateMany({ where: { name: "Gatehouse fleet CA" }, data: { state } });
      await notify(world.ctx.db, ADMISSION_CHANNEL, "*");
    };
    await change("closed");
    request("next-authority");
    const ask = () => curl("simplereenroll", ...as("rollover"), ...post("next-authority"));
    expect(await ask()).toMatchObject({ status: 503, code: "no_issuing_authority" });
    const next = await addIssuing();
    const fresh = save("next-authority", await ask());
    expect(fresh.issuerDn).toBe(next.subjectDn);
    expect((await visit("next-authority")).status).toBe(200);
    await change("revoked");
    await eventually(async () => expect(await visit("rollover")).toMatchObject({ code: "authority_revoked" }));
    expect(await ask()).toMatchObject({ status: 403, code: "authority_revoked" });
    expect((await visit("next-authority")).status).toBe(200);
  });
});

/** A second authority that this install issues with. */
async function addIssuing() {
  const id = randomUUID();
  const made = await createFleetCa({ commonName: "Next CA", now: world.clock.now });
  const { certificate } = made;
  const sealed = world.ctx.keys.seal(Buffer.from(made.privateKeyPem), `authority:${id}`);
  await world.ctx.db.authority.create({
    data: {
      id,
      namespaceId: world.ctx.namespaceId,
      name: "Next CA",
      fingerprint: certificate.fingerprint,
      subjectDn: certificate.subjectDn,
      certificate: Uint8Array.from(certificate.der),
      sealedKey: Uint8Array.from(sealed),
      notBefore: certificate.notBefore,
      notAfter: certificate.notAfter,
      state: "open",
      policy: "ask",
    },
  });
  await notify(world.ctx.db, ADMISSION_CHANNEL, "*");
  return certificate;
}

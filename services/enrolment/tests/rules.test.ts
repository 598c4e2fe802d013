import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { parseCertificate } from "#lib/pki/certificates.ts";
import { changeAuthority, ensureAuthorities, listKnownAuthorities } from "#services/authorities/service.ts";
import { createEnrolmentToken, enrolDevice, judgeToken } from "#services/enrolment/service.ts";
import {
  admitNewcomer,
  countCertificates,
  createProvisioningCredential,
  issueDevice,
  judgeBootstrap,
  provisionDevice,
  recordPending,
} from "#services/identity/service.ts";
import { judgedAs, visitOf } from "#tests/harness/admission.ts";
import { createTestDatabase, type TestDatabase } from "#tests/harness/database.ts";
import { P256 } from "#tests/harness/est.ts";
import { actorOf, expectRefusal, type IdentityWorld, identityWorld } from "#tests/harness/identity.ts";
import { addAuthority } from "#tests/pki/authority.ts";
import { type OpensslFolder, openssl } from "#tests/pki/openssl.ts";
import { createSoftwareCa } from "#tests/pki/software-ca.ts";

const admin = actorOf("admin");
const HOUR_MS = 3_600_000;
let database: TestDatabase;
let world: IdentityWorld;
let ctx: IdentityWorld["ctx"];
let folder: OpensslFolder;
let id: string;

beforeAll(async () => {
  database = await createTestDatabase();
  world = identityWorld(database.url);
  ctx = world.ctx;
  folder = openssl();
  await ensureAuthorities(ctx);
  id = (await listKnownAuthorities(ctx))[0]?.id ?? "";
});
afterAll(async () => {
  folder.remove();
  await ctx.db.$disconnect();
  await database.drop();
});
// Whoever enrolled before is no newcomer of this hour.
beforeEach(() => world.clock.advance(HOUR_MS + 1));

const NONE = { subjectPattern: null, keyTypes: [], maxValidityDays: null, newcomersPerHour: null, sourceNetworks: [] };
type Rules = Partial<Omit<Parameters<typeof changeAuthority>[2]["change"], "name">>;

async function withRules(rules: Rules, run: () => Promise<void>): Promise<void> {
  await changeAuthority(ctx, admin, { id, count: countCertificates, change: { ...NONE, ...rules } });
  try {
    await run();
  } finally {
    await changeAuthority(ctx, admin, { id, count: countCertificates, change: NONE });
  }
}

let requests = 0;
function newRequest(): Buffer {
  const name = `device-${requests++}`;
  folder.run(`req -new -nodes ${P256} -keyout ${name}.key -subj /CN=${name} -out ${name}.pem`);
  return Buffer.from(folder.read(`${name}.pem`));
}

async function newToken(change: { uses?: number; policy?: "allowed" | "pending" } = {}): Promise<string> {
  const input = { description: "Line 4", uses: 50, expiresInDays: 30, policy: "allowed" as const, ...change };
  return (await createEnrolmentToken(ctx, admin, input)).handout.secret;
}

/** What becomes of a request: "enrolled", or the code of the refusal. */
async function enrol(secret: string, body = newRequest(), address = "192.0.2.9"): Promise<string> {
  const judged = await judgeToken(ctx, secret);
  if ("refusal" in judged) return judged.refusal.code;
  const answer = await enrolDevice(ctx, judged, { body, label: null, wish: null, address });
  return "refusal" in answer ? answer.refusal.code : "enrolled";
}

describe("the rules of an authority for newcomers", () => {
  it.each<[string, Rules]>([
    ["subject_not_allowed", { subjectPattern: "CN=*,O=Acme" }],
    ["address_not_allowed", { sourceNetworks: ["10.0.0.0/8"] }],
    ["csr_weak_key", { keyTypes: ["P-384"] }],
    ["enrolled", { subjectPattern: "CN=*", sourceNetworks: ["192.0.2.0/24"], keyTypes: ["P-256"], maxValidityDays: 2 }],
  ])("hold for who enrols with a token: %s", async (code, rules) => {
    const secret = await newToken({ uses: 1 });
    await withRules(rules, async () => expect(await enrol(secret)).toBe(code));
    // What is refused costs no use.
    expect(await enrol(secret)).toBe(code === "enrolled" ? "token_exhausted" : "enrolled");
  });

  it("let as many enrol in an hour as they say, however many come at the same time", async () => {
    const secret = await newToken();
    const crowd = Array.from({ length: 8 }, newRequest);
    await withRules({ newcomersPerHour: 3 }, async () => {
      const answers = await Promise.all(crowd.map((body) => enrol(secret, body)));
      expect(answers.filter((it) => it === "enrolled")).toHaveLength(3);
      expect(answers.filter((it) => it === "too_many_newcomers")).toHaveLength(5);
      // Who has its certificate gets it again; a person's own issuing is neither counted nor stopped.
      expect(await enrol(secret, crowd[answers.indexOf("enrolled")])).toBe("enrolled");
      await issueDevice(ctx, admin, { name: "By hand", hardwareId: "rpi4" });
      world.clock.advance(HOUR_MS + 1);
      await issueDevice(ctx, admin, { name: "By hand, too", hardwareId: "rpi4" });
      expect(await enrol(secret, crowd[answers.indexOf("too_many_newcomers")])).toBe("enrolled");
    });
    const uuids = new Set((await ctx.db.deviceCertificate.findMany()).map(({ deviceUuid }) => deviceUuid));
    expect(world.registry.created.filter(({ uuid }) => !uuids.has(uuid))).toEqual([]);
  });

  it("let no more strangers in or wait in an hour than they say, however many come at the same time", async () => {
    for (const policy of ["allow_all", "ask"] as const) {
      const ca = await createSoftwareCa({ commonName: `Rogue CA ${policy}` });
      const rogue = await addAuthority(ctx, ca.certificate, policy);
      await ctx.db.authority.update({ where: { id: rogue }, data: { newcomersPerHour: 3 } });
      const leaves = await Promise.all(Array.from({ length: 12 }, async () => (await ca.issue()).certificate));
      const come = policy === "ask" ? recordPending : admitNewcomer;
      await Promise.all(leaves.map((leaf) => come(ctx, visitOf(leaf, rogue))));
      expect(await ctx.db.deviceCertificate.count({ where: { authorityId: rogue } })).toBe(3);
      const codes = await Promise.all(leaves.map((leaf) => judgedAs(ctx, leaf)));
      expect(codes.filter((code) => code === "too_many_newcomers")).toHaveLength(9);
    }
  });

  it("hold for who registers with a shared certificate", async () => {
    const shared = { description: "Line 4", uses: 50, expiresInDays: 30, certificateDays: 365 };
    const { credential } = await createProvisioningCredential(ctx, admin, { ...shared, policy: "allowed" });
    const row = await ctx.db.bootstrapCredential.findFirstOrThrow({ where: { id: credential.id } });
    const register = async () => {
      const judged = await judgeBootstrap(ctx, parseCertificate(row.certificate));
      if (judged === null || "refusal" in judged) throw new Error("the credential is good");
      const answer = await provisionDevice(ctx, judged, { deviceId: crypto.randomUUID(), address: "192.0.2.9" });
      return "refusal" in answer ? answer.refusal.code : "registered";
    };
    await withRules({ subjectPattern: "CN=*,O=Acme" }, async () =>
      expect(await register()).toBe("subject_not_allowed"),
    );
    await withRules({ sourceNetworks: ["10.0.0.0/8"] }, async () =>
      expect(await register()).toBe("address_not_allowed"),
    );
    await withRules({ keyTypes: ["P-384"] }, async () => expect(await register()).toBe("key_type_not_allowed"));
    await withRules({ newcomersPerHour: 2 }, async () => {
      const answers = await Promise.all(Array.from({ length: 5 }, register));
      expect(answers.filter((it) => it === "registered")).toHaveLength(2);
      expect(answers.filter((it) => it === "too_many_newcomers")).toHaveLength(3);
    });
  });

  it("limit the life of all that is issued here, by people too", async () => {
    await withRules({ maxValidityDays: 30 }, async () => {
      const secret = await newToken({ policy: "pending" });
      expect(await enrol(secret)).toBe("enrolled");
      const { fingerprint } = await issueDevice(ctx, admin, { name: "Short", hardwareId: "rpi4" });
      const rows = await ctx.db.deviceCertificate.findMany({ orderBy: { createdAt: "desc" }, take: 2 });
      expect(rows.map((row) => row.fingerprint)).toContain(fingerprint);
      for (const { notBefore, notAfter } of rows) {
        expect((notAfter?.getTime() ?? 0) - (notBefore?.getTime() ?? 0)).toBe(30 * 24 * HOUR_MS);
      }
      // One that waits is not refused for another reason than that.
      const waiting = rows.find(({ state }) => state === "pending");
      expect(await judgedAs(ctx, parseCertificate(waiting?.certificate ?? new Uint8Array()))).toBe("pending");
    });
  });
});

it("nothing is issued by an authority that is closed meanwhile, and the token keeps its use", async () => {
  const secret = await newToken({ uses: 1 });
  const judged = await judgeToken(ctx, secret);
  if ("refusal" in judged) throw new Error("the token is good");
  const { registry } = ctx.backends;
  const slow = {
    ...registry,
    async createDevice(...given: Parameters<typeof registry.createDevice>) {
      await registry.createDevice(...given);
      await ctx.db.authority.update({ where: { id }, data: { state: "closed" } });
    },
  };
  const asked = { body: newRequest(), label: null, wish: null, address: "192.0.2.9" };
  const answer = await enrolDevice({ ...ctx, backends: { ...ctx.backends, registry: slow } }, judged, asked);
  expect(answer).toMatchObject({ refusal: { code: "no_issuing_authority" } });
  await ctx.db.authority.update({ where: { id }, data: { state: "open" } });
  expect(await enrol(secret)).toBe("enrolled");
});

it("no token is made for an authority whose subjects are never those that are issued here", async () => {
  await withRules({ subjectPattern: "CN=*,O=Acme" }, async () => expectRefusal(newToken(), "request.invalid"));
  await withRules({ subjectPattern: "CN=truck-*" }, async () => expectRefusal(newToken(), "request.invalid"));
  await withRules({ subjectPattern: "cn=*" }, async () => expect(await newToken()).toMatch(/^ght_/));
});

import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ChangeAuthority, type CreateAuthority } from "#lib/contracts/console/authorities.ts";
import { createServerCa, crossSign, openIssuingCa } from "#lib/pki/issue.ts";
import {
  changeAuthority,
  closeAuthority,
  createAuthority,
  deleteAuthority,
  ensureAuthorities,
  getAuthority,
  issueWithAuthority,
  listAuthorities,
  listKnownAuthorities,
  openFleetCa,
  orderAuthorityProof,
  proveAuthority,
  reopenAuthority,
  revokeAuthority,
  uploadAuthority,
} from "#services/authorities/service.ts";
import { countCertificates, previewAuthorityRules } from "#services/identity/service.ts";
import { createTestDatabase, type TestDatabase } from "#tests/harness/database.ts";
import { actorOf, auditStory, expectRefusal, type IdentityWorld, identityWorld } from "#tests/harness/identity.ts";
import { type OpensslFolder, openssl } from "#tests/pki/openssl.ts";
import { createSoftwareCa, type SoftwareCa } from "#tests/pki/software-ca.ts";

const DAY_MS = 86_400_000;
const admin = actorOf("admin");
const count = countCertificates;
let database: TestDatabase;
let world: IdentityWorld;
let ctx: IdentityWorld["ctx"];
let folder: OpensslFolder;

beforeAll(async () => {
  database = await createTestDatabase();
  world = identityWorld(database.url);
  ctx = world.ctx;
  folder = openssl();
  await ensureAuthorities(ctx);
});
afterAll(async () => {
  folder.remove();
  await ctx.db.$disconnect();
  await database.drop();
});

const create = (input: Partial<CreateAuthority> = {}) => {
  world.clock.advance(1_000);
  return createAuthority(ctx, admin, { name: "Line 4", keyKind: "P-256", years: 10, policy: "ask", ...input, count });
};
const upload = (certificatePem: string, more: { privateKeyPem?: string; name?: string } = {}) => {
  world.clock.advance(1_000);
  return uploadAuthority(ctx, admin, { certificatePem, policy: "ask", ...more, count });
};
const known = async (id: string) => (await listKnownAuthorities(ctx)).find((it) => it.id === id);

async function addCertificate(authorityId: string, ca: SoftwareCa, change: { state?: string; seen?: Date } = {}) {
  const { certificate } = await ca.issue();
  await ctx.db.deviceCertificate.create({
    data: {
      namespaceId: ctx.namespaceId,
      fingerprint: certificate.fingerprint,
      deviceUuid: randomUUID(),
      authorityId,
      subjectDn: certificate.subjectDn,
      keyType: certificate.key.type,
      certificate: Uint8Array.from(certificate.der),
      notBefore: certificate.notBefore,
      notAfter: new Date(world.clock.now.getTime() + 300 * DAY_MS),
      state: change.state ?? "allowed",
      lastSeenAt: change.seen ?? null,
    },
  });
}

describe("an authority that is made here", () => {
  it("issues new certificates from then on, while what others signed stays good", async () => {
    const [first] = await listKnownAuthorities(ctx);
    const made = await create({ keyKind: "P-384", years: 2 });
    expect(made).toMatchObject({ state: "open", issues: true, hasKey: true, keyType: "P-384", origin: "created" });
    expect(made.published?.crlUrl).toBe(`${ctx.config.pkiUrl}/${made.id}.crl`);
    const opened = await openFleetCa(ctx);
    expect(opened).toMatchObject({ authorityId: made.id, published: made.published, certificateDays: 365 });
    expect(await known(first?.id ?? "")).toMatchObject({ state: "open" });

    world.clock.advance(1_000);
    const back = await issueWithAuthority(ctx, admin, { id: first?.id ?? "", count });
    expect(back.issues).toBe(true);
    expect((await openFleetCa(ctx)).authorityId).toBe(first?.id);
  });

  it("keeps its private key sealed and away from every answer", async () => {
    const { id } = await create();
    const row = await ctx.db.authority.findUniqueOrThrow({ where: { id } });
    expect(Buffer.from(row.sealedKey ?? []).includes("PRIVATE KEY")).toBe(false);
    expect(JSON.stringify(await getAuthority(ctx, admin, { id, count }))).not.toMatch(/sealed|PRIVATE|proofCode/);
  });
});

describe("an authority that is uploaded without its key", () => {
  it("admits nobody until the exact commands that are shown have signed the code", async () => {
    folder.run(
      "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -out ca.pem -days 3650 -subj /CN=Works -addext keyUsage=critical,keyCertSign",
    );
    const { id, state } = await upload(folder.read("ca.pem"), { name: "Works" });
    expect(state).toBe("unproved");
    expect(await known(id)).toBeUndefined();

    const proof = async () => proveAuthority(ctx, admin, { id, certificatePem: folder.read("proof.pem"), count });
    const order = await orderAuthorityProof(ctx, admin, id);
    folder.shell(order.commands);
    // A newer code takes the place of this one.
    const second = await orderAuthorityProof(ctx, admin, id);
    await expectRefusal(proof(), "authority.proof_failed");
    folder.shell(second.commands);
    expect(await proof()).toMatchObject({ state: "open", proofUntil: null, issues: false, published: null });
    expect(await known(id)).toMatchObject({ state: "open" });
    await expectRefusal(proof(), "authority.wrong_state");
    await expectRefusal(orderAuthorityProof(ctx, admin, id), "authority.wrong_state");
    await expectRefusal(issueWithAuthority(ctx, admin, { id, count }), "authority.wrong_state");
  });

  it("is not proved by another authority's signature, another name, after a day, or without a code", async () => {
    const ca = await createSoftwareCa({ commonName: "Proved by nobody" });
    const namesake = await createSoftwareCa({ commonName: "Proved by nobody" });
    const { id } = await upload(ca.pem);
    const prove = async (by: SoftwareCa, commonName: string) => {
      const { pem } = await by.issue({ commonNames: [commonName] });
      return proveAuthority(ctx, admin, { id, certificatePem: pem, count });
    };
    await expectRefusal(prove(ca, ""), "authority.proof_failed");
    const { code } = await orderAuthorityProof(ctx, admin, id);
    await expectRefusal(prove(namesake, code), "authority.proof_failed");
    await expectRefusal(prove(ca, `${code}0`), "authority.proof_failed");
    world.clock.advance(DAY_MS + 1);
    await expectRefusal(prove(ca, code), "authority.proof_failed");
    expect(await known(id)).toBeUndefined();
  });
});

describe("an authority that nobody proved", () => {
  it("can be deleted with its code, and uploaded again", async () => {
    const ca = await createSoftwareCa({ commonName: "By mistake" });
    const { id } = await upload(ca.pem);
    const { code } = await orderAuthorityProof(ctx, admin, id);
    await deleteAuthority(ctx, admin, id);
    await expectRefusal(getAuthority(ctx, admin, { id, count }), "authority.not_found");
    await expectRefusal(deleteAuthority(ctx, admin, id), "authority.not_found");
    const { pem } = await ca.issue({ commonNames: [code] });
    const again = await upload(ca.pem);
    await expectRefusal(
      proveAuthority(ctx, admin, { id: again.id, certificatePem: pem, count }),
      "authority.proof_failed",
    );
  });

  it("is kept once it counted, or was revoked", async () => {
    const ca = await createSoftwareCa({ commonName: "Counted" });
    const keyed = await upload(ca.pem, { privateKeyPem: ca.privateKeyPem });
    const made = await create();
    const revoked = await upload((await createSoftwareCa({ commonName: "Kept out" })).pem);
    const why = { reason: "cACompromise", note: "published", allowedCertificates: 0 } as const;
    await revokeAuthority(ctx, admin, { id: revoked.id, count, ...why });
    for (const { id } of [keyed, made, revoked]) {
      await expectRefusal(deleteAuthority(ctx, admin, id), "authority.wrong_state");
      expect(await known(id)).toBeDefined();
    }
  });
});

describe("an upload", () => {
  it("with its key issues, and opens with no other", async () => {
    const ca = await createSoftwareCa({ commonName: "With key" });
    const other = await createSoftwareCa({ commonName: "Other" });
    await expectRefusal(upload(ca.pem, { privateKeyPem: other.privateKeyPem }), "pki.key_mismatch");
    const { id, state, name } = await upload(ca.pem, { privateKeyPem: ca.privateKeyPem });
    expect({ state, name }).toEqual({ state: "open", name: "With key" });
    expect((await openFleetCa(ctx)).authorityId).toBe(id);
    await expectRefusal(upload(ca.pem), "authority.exists");
  });

  it("keeps the chain above it, in the right order only", async () => {
    const now = world.clock.now;
    const root = await createServerCa({ commonName: "Root", now });
    const middle = await createServerCa({ commonName: "Middle", now });
    const leafCa = await createServerCa({ commonName: "Issuing", now });
    const under = async (ca: typeof root, other: typeof root) =>
      crossSign({
        ca: openIssuingCa(ca.certificate, ca.privateKeyPem),
        other: other.certificate,
        now,
        validForDays: 365,
      });
    const issuing = (await under(middle, leafCa)).certificatePem;
    const between = (await under(root, middle)).certificatePem;
    const stranger = (await createSoftwareCa({ commonName: "Stranger" })).pem;
    await expectRefusal(upload(issuing + root.certificatePem + between), "authority.chain_invalid");
    await expectRefusal(upload(issuing + between + stranger), "authority.chain_invalid");
    await expectRefusal(upload(issuing + between + root.certificatePem.repeat(10)), "authority.chain_invalid");
    const { chain } = await upload(issuing + between + root.certificatePem);
    expect(chain.map(({ subject }) => subject)).toEqual(["CN=Middle", "CN=Root"]);
  });

  it("is refused when it is no authority that could be trusted, each with its own code", async () => {
    const ca = await createSoftwareCa();
    const cases = [
      ["no PEM", "hello", "pki.malformed"],
      ["rubbish", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----", "pki.malformed"],
      ["its key beside it", ca.pem + ca.privateKeyPem, "pki.malformed"],
      ["a device's certificate", (await ca.issue()).pem, "authority.not_a_ca"],
      ["a device's certificate first", (await ca.issue()).pem + ca.pem, "authority.not_a_ca"],
      ["no keyCertSign", (await createSoftwareCa({ keyUsage: ["cRLSign"] })).pem, "authority.not_a_ca"],
      ["not CA:TRUE", (await createSoftwareCa({ isCa: false })).pem, "authority.not_a_ca"],
      ["RSA-1024", (await createSoftwareCa({ key: "rsa1024" })).pem, "authority.weak"],
      [
        "expired",
        (await createSoftwareCa({ notAfter: new Date(world.clock.now.getTime() - 1) })).pem,
        "authority.expired",
      ],
    ] as const;
    for (const [, pem, code] of cases) await expectRefusal(upload(pem), code);
  });
});

describe("what an authority asks", () => {
  it("changes in force and on record, and says how many known certificates would not meet it", async () => {
    const ca = await createSoftwareCa();
    const { id } = await upload(ca.pem, { privateKeyPem: ca.privateKeyPem });
    await addCertificate(id, ca);
    await addCertificate(id, ca, { state: "pending" });
    await addCertificate(id, ca, { state: "revoked" });
    const preview = (rules: object) =>
      previewAuthorityRules(ctx, admin, {
        id,
        rules: { subjectPattern: null, keyTypes: [], maxValidityDays: null, ...rules },
      });
    expect(await preview({})).toEqual({ known: 2, unfit: 0, bySubject: 0, byKeyType: 0, byValidity: 0 });
    expect(await preview({ subjectPattern: "cn=*-*", keyTypes: ["P-256"], maxValidityDays: 400 })).toMatchObject({
      unfit: 0,
    });
    expect(await preview({ subjectPattern: "CN=*, O=_", keyTypes: ["RSA-3072"], maxValidityDays: 90 })).toEqual({
      known: 2,
      unfit: 2,
      bySubject: 2,
      byKeyType: 2,
      byValidity: 2,
    });

    const change = ChangeAuthority.parse({
      sourceNetworks: ["10.0.0.0/8", "192.0.2.7"],
      newcomersPerHour: 5,
      note: "x",
    });
    await changeAuthority(ctx, admin, { id, change, count });
    expect(await known(id)).toMatchObject({
      sourceNetworks: ["10.0.0.0/8", "192.0.2.7/32"],
      newcomers: { newcomersPerHour: 5, maxValidityDays: null },
    });
    const before = await ctx.db.auditEntry.count();
    await changeAuthority(ctx, admin, { id, change, count });
    expect(await ctx.db.auditEntry.count()).toBe(before);
  });

  it("does not turn known certificates into other devices', nor its own into strangers'", async () => {
    const deviceId = { field: "serial_number", template: "dev-{id}", form: "name" } as const;
    const changeTo = (id: string) => changeAuthority(ctx, admin, { id, change: { deviceId }, count });
    const issuing = await create();
    await expectRefusal(changeTo(issuing.id), "authority.wrong_state");

    const ca = await createSoftwareCa();
    const { id } = await upload(ca.pem);
    expect((await changeTo(id)).rules.deviceId).toEqual(deviceId);
    await addCertificate(id, ca, { state: "pending" });
    const other = { ...deviceId, field: "ou" } as const;
    await expectRefusal(
      changeAuthority(ctx, admin, { id, change: { deviceId: other }, count }),
      "authority.wrong_state",
    );
  });

  it.each([
    { sourceNetworks: ["10.0.0.0/33"] },
    { sourceNetworks: ["example.com"] },
    { deviceId: { field: "cn", template: "dev-", form: "uuid" } },
    { deviceId: { field: "cn", template: "{id}{id}", form: "uuid" } },
    { keyTypes: ["RSA-1024"] },
    { graceDays: -1 },
    { state: "open" },
  ])("is not taken as %j", (change) => {
    expect(ChangeAuthority.safeParse(change).success).toBe(false);
  });
});

describe("closing and revoking", () => {
  it("are two acts: closing is undone by reopening, revoking by nothing", async () => {
    const { id } = await create();
    const of = { id, count };
    expect(await closeAuthority(ctx, admin, of)).toMatchObject({
      state: "closed",
      issues: false,
      stateChangedBy: "admin",
    });
    expect((await openFleetCa(ctx)).authorityId).not.toBe(id);
    await expectRefusal(closeAuthority(ctx, admin, of), "authority.wrong_state");
    world.clock.advance(1_000);
    expect(await reopenAuthority(ctx, admin, of)).toMatchObject({ state: "open", issues: true });
    const why = { reason: "keyCompromise", note: "stolen", allowedCertificates: 0 } as const;
    expect(await revokeAuthority(ctx, admin, { ...of, ...why })).toMatchObject({
      state: "revoked",
      revocationReason: "keyCompromise",
      issues: false,
    });
    expect(await known(id)).toMatchObject({ state: "revoked" });
    await expectRefusal(reopenAuthority(ctx, admin, of), "authority.wrong_state");
    await expectRefusal(revokeAuthority(ctx, admin, { ...of, ...why }), "authority.wrong_state");
  });

  it("keeps a key out that was revoked before anybody proved to have it", async () => {
    const ca = await createSoftwareCa({ commonName: "Never proved" });
    const { id } = await upload(ca.pem);
    expect(await known(id)).toBeUndefined();
    const why = { reason: "cACompromise", note: "published", allowedCertificates: 0 } as const;
    await revokeAuthority(ctx, admin, { id, count, ...why });
    expect(await known(id)).toMatchObject({ state: "revoked" });
  });

  it("revokes no more certificates than the person looked at", async () => {
    const ca = await createSoftwareCa();
    const { id } = await upload(ca.pem, { privateKeyPem: ca.privateKeyPem });
    await addCertificate(id, ca, { seen: world.clock.now });
    await addCertificate(id, ca);
    await addCertificate(id, ca, { state: "pending" });
    expect((await getAuthority(ctx, admin, { id, count })).certificates).toEqual({
      allowed: 2,
      waiting: 1,
      seenLately: 1,
    });
    const revoke = (allowedCertificates: number) =>
      revokeAuthority(ctx, admin, { id, count, reason: "unspecified", note: "over", allowedCertificates });
    await expectRefusal(revoke(1), "authority.count_changed");
    expect((await revoke(2)).state).toBe("revoked");
  });

  it("is for admins, and every act is on record", async () => {
    const operator = actorOf("operator");
    const { id } = await create();
    const of = { id, count };
    for (const refused of [
      closeAuthority(ctx, operator, of),
      reopenAuthority(ctx, operator, of),
      issueWithAuthority(ctx, operator, of),
      orderAuthorityProof(ctx, operator, id),
      deleteAuthority(ctx, operator, id),
      changeAuthority(ctx, operator, { ...of, change: { note: null } }),
      revokeAuthority(ctx, operator, { ...of, reason: "unspecified", note: "x", allowedCertificates: 0 }),
    ]) {
      await expectRefusal(refused, "auth.forbidden");
    }
    expect(await listAuthorities(ctx, operator, { limit: 1, count })).toMatchObject({ data: [{ id }] });
    const story = new Set(await auditStory(ctx));
    const deeds = "create upload order_proof prove change issue_with close reopen revoke delete";
    for (const deed of deeds.split(" ")) {
      expect(story).toContain(`authority.${deed} done`);
    }
  });

  it("knows neither the authorities of another namespace nor those that Gatehouse keeps for itself", async () => {
    const { id } = await create();
    const elsewhere = { ...ctx, namespaceId: "elsewhere" };
    await expectRefusal(getAuthority(elsewhere, admin, { id, count }), "authority.not_found");
    await expectRefusal(closeAuthority(elsewhere, admin, { id, count }), "authority.not_found");
    await ctx.db.authority.update({ where: { id }, data: { kind: "canary" } });
    await expectRefusal(closeAuthority(ctx, admin, { id, count }), "authority.not_found");
    const { data } = await listAuthorities(ctx, admin, { limit: 200, count });
    expect(data.map((it) => it.id)).not.toContain(id);
  });

  it("goes through its pages without losing or repeating one", async () => {
    const all = await listAuthorities(ctx, admin, { limit: 200, count });
    const seen: string[] = [];
    let cursor: string | undefined;
    do {
      const page = await listAuthorities(ctx, admin, { limit: 3, count, ...(cursor === undefined ? {} : { cursor }) });
      seen.push(...page.data.map(({ id }) => id));
      cursor = page.nextCursor ?? undefined;
    } while (cursor !== undefined);
    expect(seen).toEqual(all.data.map(({ id }) => id));
  });
});

import { beforeAll, describe, expect, it } from "vitest";
import {
  ADMISSION_CODES,
  type AdmissionCode,
  type AdmissionDecision,
  type AdmissionQuestion,
  decideAdmission,
  type KnownCertificate,
  matchesPattern,
  type NewcomerRules,
} from "#lib/pki/admission.ts";
import { type CertificateFacts, parseCertificate } from "#lib/pki/certificates.ts";
import { knownAuthority, knownCertificate, NOTHING_KNOWN } from "#tests/harness/admission.ts";
import { createSoftwareCa, type LeafOptions, type SoftwareCa } from "#tests/pki/software-ca.ts";
import { withTwinSignature } from "#tests/pki/twin-signature.ts";

const DAY_MS = 86_400_000;
const now = new Date();
const UUID = "0f8fad5b-d9cb-469f-a165-70867728950e";
const CLIENT_AUTH = "1.3.6.1.5.5.7.3.2";
const SERVER_AUTH = "1.3.6.1.5.5.7.3.1";

let ca: SoftwareCa;
beforeAll(async () => {
  ca = await createSoftwareCa();
});

const authority = knownAuthority;
const known = knownCertificate;

function ask(leaf: AdmissionQuestion["leaf"], change: Partial<AdmissionQuestion> = {}): AdmissionDecision {
  return decideAdmission({
    leaf,
    ...NOTHING_KNOWN,
    authorities: [authority(ca.certificate)],
    now,
    ...change,
  });
}

async function leafOf(options: LeafOptions = {}): Promise<CertificateFacts> {
  return (await ca.issue({ commonNames: [UUID], ...options })).certificate;
}

function codeOf(decision: AdmissionDecision): AdmissionCode | "admitted" {
  return decision.admitted ? "admitted" : decision.code;
}

describe("admits", () => {
  it("an allowed certificate as the device its common name says", async () => {
    const leaf = await leafOf();
    expect(ask(leaf, { known: known(leaf, "allowed") })).toEqual({
      admitted: true,
      deviceUuid: UUID,
      fingerprint: leaf.fingerprint,
      authorityId: ca.certificate.fingerprint.slice(0, 8),
      newcomer: false,
      deviceId: UUID,
      canary: false,
    });
  });

  it.each<[string, LeafOptions]>([
    ["P-256", { key: "p256" }],
    ["P-384", { key: "p384" }],
    ["P-521", { key: "p521" }],
    ["RSA-2048", { key: "rsa2048" }],
    ["Ed25519", { key: "ed25519" }],
    ["no extension at all", {}],
    ["the usages of a client", { keyUsage: ["digitalSignature", "keyAgreement"], extendedKeyUsage: [CLIENT_AUTH] }],
    ["several extended usages, one of them a client's", { extendedKeyUsage: [SERVER_AUTH, CLIENT_AUTH] }],
    ["a serial number of 20 bytes", { serialHex: "7f".repeat(20) }],
    ["a SHA-512 signature", { hash: "SHA-512" }],
  ])("a certificate with %s", async (_, options) => {
    const leaf = await leafOf(options);
    expect(codeOf(ask(leaf, { known: known(leaf, "allowed") }))).toBe("admitted");
  });

  it("on the first and on the last second of validity", async () => {
    const notBefore = new Date(Math.floor(now.getTime() / 1000) * 1000);
    const notAfter = new Date(notBefore.getTime() + DAY_MS);
    const leaf = await leafOf({ notBefore, notAfter });
    for (const instant of [notBefore, notAfter]) {
      expect(codeOf(ask(leaf, { known: known(leaf, "allowed"), now: instant }))).toBe("admitted");
    }
  });

  it("a newcomer that is on the allowlist, to be recorded first", async () => {
    const leaf = await leafOf();
    expect(ask(leaf, { allowlisted: true })).toMatchObject({ admitted: true, newcomer: true });
    expect(ask(leaf, { allowlisted: true, known: known(leaf, "pending") })).toMatchObject({ newcomer: true });
  });

  it("a newcomer of an authority whose policy admits all", async () => {
    const leaf = await leafOf();
    const authorities = [authority(ca.certificate, { policy: "allow_all" })];
    expect(ask(leaf, { authorities })).toMatchObject({ admitted: true, newcomer: true });
  });

  it("an allowed certificate of an authority that is closed to newcomers", async () => {
    const leaf = await leafOf();
    const authorities = [authority(ca.certificate, { state: "closed" })];
    expect(codeOf(ask(leaf, { authorities, known: known(leaf, "allowed") }))).toBe("admitted");
  });

  it("an allowed certificate while another of the same device is allowed", async () => {
    const leaf = await leafOf();
    expect(codeOf(ask(leaf, { known: known(leaf, "allowed"), otherAllowedCount: 1 }))).toBe("admitted");
  });

  it("by a renewed authority when the old one of the same key has run out", async () => {
    const old = await createSoftwareCa({ privateKeyPem: ca.privateKeyPem, notAfter: new Date(now.getTime() - 1000) });
    const leaf = await leafOf();
    const authorities = [authority(old.certificate, { id: "old" }), authority(ca.certificate, { id: "new" })];
    expect(ask(leaf, { authorities, known: known(leaf, "allowed") })).toMatchObject({ authorityId: "new" });
  });

  it("by whichever of several authorities of one name really signed", async () => {
    const namesake = await createSoftwareCa();
    const leaf = await leafOf();
    const authorities = [
      authority(namesake.certificate, { id: "namesake" }),
      authority(ca.certificate, { id: "ours" }),
    ];
    expect(ask(leaf, { authorities, known: known(leaf, "allowed") })).toMatchObject({ authorityId: "ours" });
  });
});

/** What must not get in, by code. Every code of the closed list has its row, checked below. */
const REFUSALS: Record<AdmissionCode, () => Promise<AdmissionDecision>> = {
  no_certificate: async () => ask(null),
  malformed: async () => ask("malformed"),
  unknown_authority: async () => {
    const stranger = await createSoftwareCa({ commonName: "Stranger" });
    return ask((await stranger.issue()).certificate, { allowlisted: true });
  },
  bad_signature: async () => {
    const impostor = await createSoftwareCa({ commonName: ca.certificate.subjectCn ?? "" });
    return ask((await impostor.issue({ commonNames: [UUID] })).certificate, { allowlisted: true });
  },
  authority_revoked: async () => {
    const leaf = await leafOf();
    return ask(leaf, {
      authorities: [authority(ca.certificate, { state: "revoked" })],
      known: known(leaf, "allowed"),
    });
  },
  authority_expired: async () => {
    const old = await createSoftwareCa({ notAfter: new Date(now.getTime() - 1000) });
    const leaf = (await old.issue({ commonNames: [UUID] })).certificate;
    return ask(leaf, { authorities: [authority(old.certificate)], known: known(leaf, "allowed") });
  },
  authority_closed: async () =>
    ask(await leafOf(), { authorities: [authority(ca.certificate, { state: "closed" })], allowlisted: true }),
  address_not_allowed: async () => {
    const leaf = await leafOf();
    const authorities = [authority(ca.certificate, { sourceNetworks: ["10.0.0.0/8", "2001:db8::/32"] })];
    return ask(leaf, { authorities, known: known(leaf, "allowed"), address: "11.0.0.1" });
  },
  device_id_missing: async () => {
    const deviceId = { field: "serial_number", template: "{id}", form: "name" } as const;
    return ask(await leafOf(), { authorities: [authority(ca.certificate, { deviceId })] });
  },
  subject_not_allowed: async () => askNewcomer({ subjectPattern: "CN=*,O=Acme" }),
  key_type_not_allowed: async () => askNewcomer({ keyTypes: ["P-384", "RSA-3072"] }),
  validity_too_long: async () => askNewcomer({ maxValidityDays: 365 }),
  too_many_newcomers: async () => askNewcomer({ newcomersPerHour: 5 }, { newcomersLastHour: 5 }),
  altered_copy: async () => {
    const leaf = await leafOf();
    return ask(parseCertificate(withTwinSignature(leaf.der)), { known: known(leaf, "allowed") });
  },
  revoked: async () => askRecorded("revoked"),
  rejected: async () => askRecorded("rejected"),
  superseded: async () => askRecorded("superseded"),
  held: async () => askRecorded("held"),
  weak_signature: async () => askAllowed({ hash: "SHA-1" }, await createSoftwareCa({ key: "rsa2048" })),
  weak_key: async () => askAllowed({ key: "rsa1024" }),
  wrong_usage: async () => askAllowed({ extendedKeyUsage: [SERVER_AUTH] }),
  unsupported_extension: async () => askAllowed({ criticalExtensions: ["1.2.3.4"] }),
  not_yet_valid: async () => askAllowed({ notBefore: new Date(now.getTime() + 2000) }),
  expired: async () => askAllowed({ notAfter: new Date(now.getTime() - 2000) }),
  subject_not_uuid: async () => askAllowed({ commonNames: ["truck-17"] }),
  not_on_allowlist: async () =>
    ask(await leafOf(), { authorities: [authority(ca.certificate, { policy: "allowlist" })] }),
  another_certificate_allowed: async () => ask(await leafOf(), { allowlisted: true, otherAllowedCount: 1 }),
  pending: async () => ask(await leafOf()),
};

async function askNewcomer(
  rules: Partial<NewcomerRules>,
  change: Partial<AdmissionQuestion> = {},
): Promise<AdmissionDecision> {
  const { newcomers } = authority(ca.certificate);
  return ask(await leafOf(), {
    authorities: [authority(ca.certificate, { policy: "allow_all", newcomers: { ...newcomers, ...rules } })],
    ...change,
  });
}

async function askRecorded(state: KnownCertificate["state"]): Promise<AdmissionDecision> {
  const leaf = await leafOf();
  return ask(leaf, { known: known(leaf, state), allowlisted: true });
}

async function askAllowed(options: LeafOptions, issuer: SoftwareCa = ca): Promise<AdmissionDecision> {
  const leaf = (await issuer.issue({ commonNames: [UUID], ...options })).certificate;
  return ask(leaf, { authorities: [authority(issuer.certificate)], known: known(leaf, "allowed") });
}

describe("refuses", () => {
  it.each(ADMISSION_CODES)("with code %s, a sentence and the right status", async (code) => {
    const decision = await REFUSALS[code]();
    expect(decision).toMatchObject({ admitted: false, code, status: code === "no_certificate" ? 401 : 403 });
    expect(decision.admitted || decision.sentence).toMatch(/^[A-Z][^\n]+\.$/);
  });

  it("with becomesPending only a newcomer on whom a person can decide", async () => {
    for (const code of ADMISSION_CODES) {
      const waits = code === "pending" || code === "another_certificate_allowed";
      expect(await REFUSALS[code](), code).toMatchObject({ becomesPending: waits });
    }
    const leaf = await leafOf();
    expect(ask(leaf, { known: known(leaf, "pending") })).toMatchObject({ code: "pending", becomesPending: false });
  });

  it("names no authority when none of ours signed", async () => {
    expect(await REFUSALS.bad_signature()).toMatchObject({ authorityId: null });
    expect(await REFUSALS.pending()).toMatchObject({ authorityId: ca.certificate.fingerprint.slice(0, 8) });
  });

  it.each<[string, LeafOptions]>([
    ["P-224", { key: "p224" }],
    ["secp256k1", { key: "secp256k1" }],
  ])("a key on the curve %s as weak", async (_, options) => {
    expect(codeOf(await askAllowed(options))).toBe("weak_key");
  });

  it.each<[string, LeafOptions]>([
    ["a key usage without digital signature", { keyUsage: ["keyAgreement"] }],
    ["the any-purpose extended usage alone", { extendedKeyUsage: ["2.5.29.37.0"] }],
    ["a CA's basic constraints", { isCa: true }],
  ])("a leaf with %s as wrongly used", async (_, options) => {
    expect(codeOf(await askAllowed(options))).toBe("wrong_usage");
  });

  it.each<[string, string[]]>([
    ["in upper case", [UUID.toUpperCase()]],
    ["with a line feed behind it", [`${UUID}\n`]],
    ["with a path behind it", [`${UUID}/../x`]],
    ["with a NUL behind it", [`${UUID}\u0000.example`]],
    ["in braces", [`{${UUID}}`]],
    ["twice", [UUID, UUID]],
    ["next to another name", [UUID, "truck-17"]],
  ])("a UUID %s as no device's name", async (_, commonNames) => {
    expect(codeOf(await askAllowed({ commonNames }))).toBe("subject_not_uuid");
  });

  it("a certificate that has a revoked record even when it has expired too", async () => {
    const leaf = await leafOf({ notAfter: new Date(now.getTime() - 2000) });
    expect(codeOf(ask(leaf, { known: known(leaf, "revoked") }))).toBe("revoked");
  });

  it("the signature's twin of a revoked certificate as revoked, under any policy", async () => {
    const leaf = await leafOf();
    const twin = parseCertificate(withTwinSignature(leaf.der));
    expect(twin.fingerprint).not.toBe(leaf.fingerprint);
    expect(twin.tbsSha256).toBe(leaf.tbsSha256);
    const authorities = [authority(ca.certificate, { policy: "allow_all" })];
    expect(codeOf(ask(twin, { authorities, known: known(leaf, "revoked") }))).toBe("revoked");
  });

  it("everything under a revoked authority's key, however the authority is stored again", async () => {
    const again = await createSoftwareCa({ privateKeyPem: ca.privateKeyPem });
    const leaf = await leafOf();
    const authorities = [authority(again.certificate), authority(ca.certificate, { state: "revoked" })];
    expect(codeOf(ask(leaf, { authorities, known: known(leaf, "allowed") }))).toBe("authority_revoked");
  });

  it("everything under a revoked authority's key, whatever name the key has now", async () => {
    const renamed = await createSoftwareCa({ privateKeyPem: ca.privateKeyPem, commonName: "Another name" });
    const leaf = (await renamed.issue({ commonNames: [UUID] })).certificate;
    const authorities = [authority(renamed.certificate), authority(ca.certificate, { state: "revoked" })];
    expect(codeOf(ask(leaf, { authorities, known: known(leaf, "allowed") }))).toBe("authority_revoked");
  });

  it("a leaf signed by a device's own certificate, or by a CA that may not sign", async () => {
    const device = await ca.issue({ commonNames: ["Outside fleet CA"] });
    const asCa = await createSoftwareCa({ privateKeyPem: device.privateKeyPem });
    const leaf = (await asCa.issue({ commonNames: [UUID] })).certificate;
    expect(codeOf(ask(leaf, { authorities: [authority(device.certificate)], allowlisted: true }))).toBe(
      "bad_signature",
    );
    const mute = await createSoftwareCa({ keyUsage: ["cRLSign"] });
    const byMute = (await mute.issue({ commonNames: [UUID] })).certificate;
    expect(codeOf(ask(byMute, { authorities: [authority(mute.certificate)], allowlisted: true }))).toBe(
      "bad_signature",
    );
  });

  it("a record that expired, whatever the clock says", async () => {
    expect(codeOf(await askRecorded("expired"))).toBe("expired");
  });

  it("every leaf when there is no authority", async () => {
    expect(codeOf(ask(await leafOf(), { authorities: [], allowlisted: true }))).toBe("unknown_authority");
  });
});

describe("an authority's rules", () => {
  it("hold for newcomers; what is allowed already keeps coming in", async () => {
    const leaf = await leafOf();
    const newcomers = { subjectPattern: "CN=x", keyTypes: ["P-384"], maxValidityDays: 1, newcomersPerHour: 0 };
    const authorities = [authority(ca.certificate, { newcomers })];
    expect(codeOf(ask(leaf, { authorities, known: known(leaf, "allowed"), newcomersLastHour: 9 }))).toBe("admitted");
  });

  it("count no rush where a newcomer was expected or waits already", async () => {
    const leaf = await leafOf();
    const newcomers = { ...authority(ca.certificate).newcomers, newcomersPerHour: 1 };
    const rush = { authorities: [authority(ca.certificate, { newcomers })], newcomersLastHour: 9 };
    expect(codeOf(ask(leaf, { ...rush, allowlisted: true }))).toBe("admitted");
    expect(codeOf(ask(leaf, { ...rush, known: known(leaf, "pending") }))).toBe("pending");
  });

  it.each<[string, string, boolean]>([
    ["10.1.2.3", "10.0.0.0/8", true],
    ["11.1.2.3", "10.0.0.0/8", false],
    ["2001:db8::7", "2001:db8::/32", true],
    ["2001:db9::7", "2001:db8::/32", false],
    ["unknown", "0.0.0.0/0", false],
    ["10.1.2.3", "10.0.0.0/99", false],
    ["10.1.2.3", "nonsense", false],
  ])("let %s in from %s: %s", async (address, network, isIn) => {
    const leaf = await leafOf();
    const authorities = [authority(ca.certificate, { sourceNetworks: [network] })];
    const decision = ask(leaf, { authorities, known: known(leaf, "allowed"), address });
    expect(codeOf(decision)).toBe(isIn ? "admitted" : "address_not_allowed");
  });

  it.each<[string, string, boolean]>([
    ["CN=a, O=Acme", "cn=*,*o=acme", true],
    ["CN=a, O=Acme", "*", true],
    ["CN=a, O=Acme", "CN=a, O=Acme", true],
    ["CN=a, O=Acme", "CN=a", false],
    ["CN=aa", "CN=a*a", true],
    ["CN=a", "CN=a*a", false],
    ["CN=abcabc", "*abc*abc", true],
    ["CN=abc", "*abc*abc", false],
  ])("take the subject %s for the pattern %s: %s", (text, pattern, matches) => {
    expect(matchesPattern(text, pattern)).toBe(matches);
  });

  it("find the device where they say, and give a name the same UUID always", async () => {
    const leaf = await leafOf({ commonNames: ["urn:dev:truck-17"] });
    const deviceId = { field: "cn", template: "urn:dev:{id}", form: "name" } as const;
    const decision = ask(leaf, {
      authorities: [authority(ca.certificate, { deviceId })],
      known: known(leaf, "allowed"),
    });
    expect(decision).toMatchObject({ deviceId: "truck-17", deviceUuid: "f062c2fb-dfe5-57cf-858c-6dc322f618b5" });
  });
});

describe("a certificate that a newer one replaced", () => {
  it("stays good for its grace, to the second, and is superseded from then on", async () => {
    const leaf = await leafOf();
    const at = (graceUntil: Date) => codeOf(ask(leaf, { known: known(leaf, "allowed", { graceUntil }) }));
    expect(at(new Date(now.getTime() + 1))).toBe("admitted");
    expect(at(now)).toBe("superseded");
  });

  it("is replaced at the first use of the newer, which must be recorded first", async () => {
    const leaf = await leafOf();
    const decision = ask(leaf, { known: known(leaf, "allowed", { isUnusedRenewal: true }), otherAllowedCount: 1 });
    expect(decision).toMatchObject({ admitted: true, newcomer: true });
  });
});

it("marks what measures revocation, so that it may do nothing else", async () => {
  const leaf = await leafOf();
  const authorities = [authority(ca.certificate, { kind: "canary" })];
  expect(ask(leaf, { authorities, known: known(leaf, "allowed") })).toMatchObject({ admitted: true, canary: true });
});

it("asks the given verifier, so that a gateway can remember signatures", async () => {
  const leaf = await leafOf();
  const asked: string[] = [];
  const decision = ask(leaf, {
    known: known(leaf, "allowed"),
    verifySignature: (certificate) => {
      asked.push(certificate.fingerprint);
      return false;
    },
  });
  expect(codeOf(decision)).toBe("bad_signature");
  expect(asked).toEqual([leaf.fingerprint]);
});

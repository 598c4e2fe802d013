import { createHash, X509Certificate } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { isAppError } from "#lib/errors/app-error.ts";
import { decideAdmission } from "#lib/pki/admission.ts";
import { CERTIFICATE_LIMITS, type CertificateFacts, certificatePem, parseCertificate } from "#lib/pki/certificates.ts";
import { isSignedBy } from "#lib/pki/issuer.ts";
import { knownAuthority, knownCertificate, NOTHING_KNOWN } from "#tests/harness/admission.ts";
import { type OpensslFolder, openssl } from "#tests/pki/openssl.ts";
import { createSoftwareCa, type SoftwareCa } from "#tests/pki/software-ca.ts";

const UUID = "0f8fad5b-d9cb-469f-a165-70867728950e";
const malformed = expect.objectContaining({ code: "pki.malformed" });
const tooLarge = expect.objectContaining({ code: "request.too_large" });

let ca: SoftwareCa;
let folder: OpensslFolder;
beforeAll(async () => {
  ca = await createSoftwareCa();
  folder = openssl();
  folder.write("ca.pem", ca.pem);
  folder.write("ca.key", ca.privateKeyPem);
});
afterAll(() => folder.remove());

/** A leaf made by openssl alone; without an extension file it is what many fleets' scripts make. */
function opensslLeaf(request: string, sign = ""): CertificateFacts {
  folder.run(`req -new -nodes -keyout leaf.key -out leaf.csr ${request}`);
  folder.run(`x509 -req -in leaf.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 30 -out leaf.pem${sign}`);
  return parseCertificate(folder.read("leaf.pem"));
}

function isAllowed(leaf: CertificateFacts): boolean {
  return decideAdmission({
    leaf,
    ...NOTHING_KNOWN,
    authorities: [knownAuthority(ca.certificate)],
    known: knownCertificate(leaf, "allowed"),
    now: new Date(),
  }).admitted;
}

describe("parseCertificate", () => {
  it("reads DER, PEM text and PEM bytes as the same certificate", () => {
    const { der } = ca.certificate;
    for (const form of [der, new Uint8Array(der), ca.pem, Buffer.from(ca.pem), `Bag attributes\n${ca.pem}`]) {
      expect(parseCertificate(form)).toEqual(ca.certificate);
    }
    expect(certificatePem(ca.certificate)).toBe(ca.pem);
    expect(ca.pem).toBe(new X509Certificate(der).toString());
  });

  it("identifies a certificate by the lower-case hex SHA-256 of its DER, as openssl prints it", () => {
    folder.write("one.pem", ca.pem);
    const printed = folder.run("x509 -in one.pem -noout -fingerprint -sha256").split("=")[1] ?? "";
    expect(ca.certificate.fingerprint).toBe(printed.trim().replaceAll(":", "").toLowerCase());
    expect(ca.certificate.fingerprint).toBe(createHash("sha256").update(ca.certificate.der).digest("hex"));
  });

  it("tells the names, serial, times, key and usages", async () => {
    const notBefore = new Date("2026-01-02T03:04:05Z");
    const notAfter = new Date("2055-06-07T08:09:10Z");
    const { certificate } = await ca.issue({
      commonNames: [UUID],
      notBefore,
      notAfter,
      serialHex: "0abc",
      keyUsage: ["digitalSignature", "keyAgreement"],
      extendedKeyUsage: ["1.3.6.1.5.5.7.3.2", "1.2.3.4.5"],
      criticalExtensions: ["1.2.3.4"],
    });
    expect(certificate).toMatchObject({
      subjectDn: `CN=${UUID}`,
      subjectCn: UUID,
      issuerDn: "CN=Outside fleet CA",
      serialHex: "0abc",
      notBefore,
      notAfter,
      key: { kind: "ec", curve: "prime256v1", bits: 256 },
      signatureHash: "SHA-256",
      keyUsage: ["digitalSignature", "keyAgreement"],
      extendedKeyUsage: ["1.3.6.1.5.5.7.3.2", "1.2.3.4.5"],
      isCa: false,
      ski: null,
      aki: null,
      unknownCritical: ["1.2.3.4"],
    });
  });

  it("keeps absent usages apart from empty ones", async () => {
    const { certificate } = await ca.issue();
    expect(certificate).toMatchObject({ keyUsage: null, extendedKeyUsage: null, unknownCritical: [] });
  });

  it.each([
    ["rsa1024", { kind: "rsa", bits: 1024, curve: null, type: "RSA-1024" }],
    ["p384", { kind: "ec", bits: 384, curve: "secp384r1", type: "P-384" }],
    ["p521", { kind: "ec", bits: 521, curve: "secp521r1", type: "P-521" }],
    ["secp256k1", { kind: "ec", bits: null, curve: "secp256k1", type: "secp256k1" }],
    ["ed25519", { kind: "ed25519", bits: 256, curve: null, type: "Ed25519" }],
  ] as const)("tells a key %s by kind and size", async (key, expected) => {
    expect((await ca.issue({ key })).certificate.key).toEqual(expected);
  });

  it("refuses a certificate that repeats an extension", async () => {
    await expect(ca.issue({ criticalExtensions: ["1.2.3.4", "1.2.3.4"] })).rejects.toThrow(malformed);
  });

  it("has no common name where there is none or more than one", async () => {
    expect((await ca.issue({ commonNames: [] })).certificate.subjectCn).toBeNull();
    expect((await ca.issue({ commonNames: ["a", "b"] })).certificate.subjectCn).toBeNull();
  });

  it("gives text that can be stored and shown: no control characters, no reversal, bounded", async () => {
    const nasty = (await ca.issue({ commonNames: ["a\u0000b\u001b[31m\u202ecod"] })).certificate;
    expect(nasty.subjectCn).toBe("a\ufffdb\ufffd[31m\ufffdcod");
    expect(nasty.subjectDn).not.toMatch(/[\p{Cc}\u202e]/u);
    const long = (await ca.issue({ commonNames: ["x".repeat(4000)] })).certificate;
    expect(long.subjectDn.length).toBeLessThanOrEqual(CERTIFICATE_LIMITS.nameCharacters + 1);
  });

  it.each<[string, () => Uint8Array | string]>([
    ["nothing", () => ""],
    ["no bytes", () => new Uint8Array()],
    ["text", () => "hello"],
    ["an empty PEM block", () => "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n"],
    ["two PEM blocks", () => `${ca.pem}${ca.pem}`],
    ["a PEM block of another kind", () => ca.pem.replaceAll("CERTIFICATE", "X509 CRL")],
    ["a byte behind the certificate", () => Buffer.concat([ca.certificate.der, Buffer.from([0])])],
    ["an indefinite length", () => Buffer.from([0x30, 0x80, 0, 0])],
    ["deep nesting", () => nested(5000)],
    ["a private key", () => ca.privateKeyPem],
  ])("refuses %s as malformed", (_, input) => {
    expect(() => parseCertificate(input())).toThrow(malformed);
  });

  it("refuses what is larger than its limits before parsing it", () => {
    const huge = Buffer.alloc(CERTIFICATE_LIMITS.derBytes + 1, 0x30);
    expect(() => parseCertificate(huge)).toThrow(tooLarge);
    expect(() => parseCertificate("x".repeat(CERTIFICATE_LIMITS.pemCharacters + 1))).toThrow(tooLarge);
    const pem = `-----BEGIN CERTIFICATE-----\n${huge.toString("base64")}\n-----END CERTIFICATE-----`;
    expect(() => parseCertificate(pem)).toThrow(tooLarge);
  });

  it("answers every truncation with pki.malformed", () => {
    const { der } = ca.certificate;
    for (let length = 0; length < der.length; length++) {
      expect(() => parseCertificate(der.subarray(0, length)), String(length)).toThrow(malformed);
    }
  });

  it("answers flipped bits with facts or pki.malformed, and never takes them for signed", {
    timeout: 60_000,
  }, async () => {
    const leaf = (await ca.issue({ commonNames: [UUID], keyUsage: ["digitalSignature"] })).certificate;
    let parsed = 0;
    for (let bit = 0; bit < leaf.der.length * 8; bit++) {
      const der = Buffer.from(leaf.der);
      der.writeUInt8(der.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
      try {
        expect(isSignedBy(parseCertificate(der), ca.certificate), `bit ${bit}`).toBe(false);
        parsed++;
      } catch (error) {
        if (!isAppError(error, "pki.malformed")) throw error;
      }
    }
    expect(parsed).toBeGreaterThan(100);
  });

  it("survives random splices of real certificates", async () => {
    const sources = [ca.certificate.der, (await ca.issue({ key: "ed25519" })).certificate.der];
    const next = randomNumbers(7);
    for (let round = 0; round < 2000; round++) {
      const a = sources[next(2)] ?? Buffer.alloc(0);
      const b = sources[next(2)] ?? Buffer.alloc(0);
      const spliced = Buffer.concat([a.subarray(0, next(a.length)), b.subarray(next(b.length))]);
      try {
        parseCertificate(spliced);
      } catch (error) {
        if (!isAppError(error, "pki.malformed")) throw error;
      }
    }
  });
});

describe("certificates made by openssl", () => {
  it("without any extension, as aktualizr-cert-provider makes them, may be admitted", () => {
    const leaf = opensslLeaf(`-newkey rsa:2048 -subj /CN=${UUID}/C=DE/ST=Berlin/O=Fleet`);
    expect(leaf).toMatchObject({ subjectCn: UUID, keyUsage: null, extendedKeyUsage: null, key: { bits: 2048 } });
    expect(isSignedBy(leaf, ca.certificate)).toBe(true);
    expect(isAllowed(leaf)).toBe(true);
  });

  it("of X.509 version 1 may be admitted", () => {
    folder.run(`req -new -nodes -newkey rsa:2048 -keyout v1.key -out v1.csr -subj /CN=${UUID}`);
    folder.run("x509 -req -in v1.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 30 -out v1.pem -clrext");
    expect(folder.run("x509 -in v1.pem -noout -text")).toContain("Version: 1 ");
    expect(isAllowed(parseCertificate(folder.read("v1.pem")))).toBe(true);
  });

  it("with key identifiers and usages tell them", () => {
    folder.write(
      "ext.cnf",
      "subjectKeyIdentifier=hash\nauthorityKeyIdentifier=issuer:always\nextendedKeyUsage=clientAuth\n",
    );
    const leaf = opensslLeaf(`-newkey rsa:2048 -subj /CN=${UUID}`, " -extfile ext.cnf");
    expect(leaf.ski).toMatch(/^[0-9a-f]{40}$/);
    expect(leaf.extendedKeyUsage).toEqual(["1.3.6.1.5.5.7.3.2"]);
    expect(isAllowed(leaf)).toBe(true);
  });

  it("keep a two-part relative name from posing as the common name alone", () => {
    const leaf = () => opensslLeaf(`-newkey rsa:2048 -multivalue-rdn -subj /CN=${UUID}+OU=x`);
    expect(leaf().subjectCn).toBe(UUID);
    const twoNames = opensslLeaf(`-newkey rsa:2048 -multivalue-rdn -subj /CN=${UUID}+CN=other`);
    expect(twoNames.subjectCn).toBeNull();
  });
});

function nested(depth: number): Buffer {
  let bytes = Buffer.from([0x05, 0x00]);
  for (let level = 0; level < depth && bytes.length < CERTIFICATE_LIMITS.derBytes - 4; level++) {
    bytes = Buffer.concat([Buffer.from([0x30, 0x82, bytes.length >> 8, bytes.length & 0xff]), bytes]);
  }
  return bytes;
}

/** Small numbers in a fixed order (a linear congruential generator), so that a failure can be seen again. */
function randomNumbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state * 1664525 + 1013904223) % 4294967296;
    return Math.floor((state / 4294967296) * below);
  };
}

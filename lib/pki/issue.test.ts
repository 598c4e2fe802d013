import { createPublicKey, generateKeyPairSync, X509Certificate } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { decideAdmission } from "#lib/pki/admission.ts";
import { parseCertificate } from "#lib/pki/certificates.ts";
import {
  createFleetCa,
  createServerCa,
  crossSign,
  type IssuedCredentials,
  type IssuingCa,
  issueDeviceCertificate,
  issueServerCertificate,
  openIssuingCa,
} from "#lib/pki/issue.ts";
import { isSignedBy } from "#lib/pki/issuer.ts";
import { certificateSigner, generateCertificateKey } from "#lib/pki/keys.ts";
import { knownAuthority, knownCertificate, NOTHING_KNOWN } from "#tests/harness/admission.ts";
import { type OpensslFolder, openssl } from "#tests/pki/openssl.ts";

const UUID = "0f8fad5b-d9cb-469f-a165-70867728950e";
const DAY_MS = 86_400_000;
const now = new Date("2026-11-22T10:00:00.500Z");
const unsupported = expect.objectContaining({ code: "pki.unsupported" });

let made: IssuedCredentials;
let ca: IssuingCa;
let folder: OpensslFolder;
beforeAll(async () => {
  folder = openssl();
  made = await createFleetCa({ commonName: "Gatehouse fleet CA", now });
  ca = openIssuingCa(made.certificate, made.privateKeyPem);
  folder.write("ca.pem", made.certificatePem);
});
afterAll(() => folder.remove());

async function deviceCertificate(change: { deviceUuid?: string; now?: Date; validForDays?: number } = {}) {
  const key = generateCertificateKey();
  const issued = await issueDeviceCertificate({ ca, deviceUuid: UUID, publicKey: key.publicKey, now, ...change });
  return { ...issued, privateKeyPem: key.privateKeyPem };
}

describe("an authority", () => {
  it("lives ten years, signs leaves only and can be opened again from its PEM", async () => {
    expect(made.certificate).toMatchObject({
      subjectDn: "CN=Gatehouse fleet CA",
      isCa: true,
      keyUsage: ["keyCertSign", "cRLSign"],
      key: { kind: "ec", curve: "prime256v1" },
      unknownCritical: [],
    });
    expect(made.certificate.notAfter.getTime() - now.getTime()).toBeGreaterThan(3652 * DAY_MS);
    expect(folder.run("x509 -in ca.pem -noout -text")).toContain("CA:TRUE, pathlen:0");
    expect(isSignedBy(made.certificate, made.certificate)).toBe(true);
    const server = await createServerCa({ commonName: "Gatehouse server CA", now });
    expect(server.certificate.spkiSha256).not.toBe(made.certificate.spkiSha256);
  });

  it("does not open with another key, with rubbish or with a key of another kind", () => {
    const open = (pem: string) => () => openIssuingCa(made.certificate, pem);
    expect(open(generateCertificateKey().privateKeyPem)).toThrow(expect.objectContaining({ code: "pki.key_mismatch" }));
    expect(open("rubbish")).toThrow(expect.objectContaining({ code: "pki.malformed" }));
    const p224 = generateKeyPairSync("ec", { namedCurve: "secp224r1" })
      .privateKey.export({ type: "pkcs8", format: "pem" })
      .toString();
    expect(open(p224)).toThrow(unsupported);
  });

  it("keeps its private key out of what can be printed", () => {
    expect(JSON.stringify(certificateSigner(made.privateKeyPem))).not.toContain("PRIVATE");
  });
});

describe("a device certificate", () => {
  it("names the UUID, is for client authentication only, and lives a year from the device's late clock on", async () => {
    const { certificate } = await deviceCertificate();
    expect(certificate).toMatchObject({
      subjectDn: `CN=${UUID}`,
      keyUsage: ["digitalSignature"],
      extendedKeyUsage: ["1.3.6.1.5.5.7.3.2"],
      isCa: false,
      aki: made.certificate.ski,
      unknownCritical: [],
      notBefore: new Date("2026-11-22T09:00:00Z"),
      notAfter: new Date("2027-11-22T10:00:00Z"),
    });
  });

  it("verifies with openssl and is admitted", async () => {
    const { certificate, certificatePem } = await deviceCertificate();
    folder.write("leaf.pem", certificatePem);
    const at = Math.floor(now.getTime() / 1000);
    expect(folder.run(`verify -x509_strict -purpose sslclient -attime ${at} -CAfile ca.pem leaf.pem`)).toContain("OK");
    const decision = decideAdmission({
      leaf: certificate,
      ...NOTHING_KNOWN,
      authorities: [knownAuthority(made.certificate)],
      known: knownCertificate(certificate, "allowed"),
      now,
    });
    expect(decision).toMatchObject({ admitted: true, deviceUuid: UUID });
  });

  it("carries the key it was asked to carry, of any supported kind", async () => {
    const { publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
    const { certificate } = await issueDeviceCertificate({ ca, deviceUuid: UUID, publicKey, now });
    expect(new X509Certificate(certificate.der).publicKey.equals(publicKey)).toBe(true);
  });

  it("has a positive random serial of 16 bytes, never the same twice", async () => {
    const serials = new Set<string>();
    for (let count = 0; count < 20; count++) serials.add((await deviceCertificate()).certificate.serialHex);
    expect(serials.size).toBe(20);
    for (const serial of serials) expect(serial).toMatch(/^[4-7][0-9a-f]{31}$/);
  });

  it("never outlives its authority, nor begins before it", async () => {
    const late = new Date(made.certificate.notAfter.getTime() - 10 * DAY_MS);
    expect((await deviceCertificate({ now: late })).certificate.notAfter).toEqual(made.certificate.notAfter);
    const early = await deviceCertificate({ now: new Date(now.getTime() - 30 * 60_000) });
    expect(early.certificate.notBefore).toEqual(made.certificate.notBefore);
  });

  it("is not made after the authority's end or for a name that is no canonical UUID", async () => {
    const after = new Date(made.certificate.notAfter.getTime() + 1000);
    await expect(deviceCertificate({ now: after })).rejects.toThrow(unsupported);
    for (const deviceUuid of ["", "truck-17", UUID.toUpperCase(), `${UUID}\n`]) {
      await expect(deviceCertificate({ deviceUuid })).rejects.toThrow(unsupported);
    }
  });
});

describe("an authority of each kind of key", () => {
  const published = {
    crlUrl: "http://pki.example/pki/a.crl",
    certificateUrl: "http://pki.example/pki/a.crt",
    ocspUrl: "http://pki.example/pki/ocsp",
  };

  it.each([
    ["P-256", "ecdsa-with-SHA256"],
    ["P-384", "ecdsa-with-SHA384"],
    ["RSA-3072", "sha256WithRSAEncryption"],
    ["Ed25519", "ED25519"],
  ] as const)("%s signs itself and devices in a form that openssl verifies", async (keyKind, algorithm) => {
    const own = await createFleetCa({ commonName: `CA ${keyKind}`, now, keyKind, validForDays: 730 });
    const issuing = { ...openIssuingCa(own.certificate, own.privateKeyPem), published };
    const leaf = await issueDeviceCertificate({
      ca: issuing,
      deviceUuid: UUID,
      publicKey: generateCertificateKey().publicKey,
      now,
    });
    expect(own.certificate.key.type).toBe(keyKind);
    expect(own.certificate.notAfter).toEqual(new Date(Math.floor(now.getTime() / 1000) * 1000 + 730 * DAY_MS));
    expect(isSignedBy(leaf.certificate, own.certificate)).toBe(true);
    folder.write("kind-ca.pem", own.certificatePem);
    folder.write("kind-leaf.pem", leaf.certificatePem);
    const at = Math.floor(now.getTime() / 1000);
    expect(
      folder.run(`verify -x509_strict -purpose sslclient -attime ${at} -CAfile kind-ca.pem kind-leaf.pem`),
    ).toContain("OK");
    const text = folder.run("x509 -in kind-leaf.pem -noout -text");
    expect(text).toContain(`Signature Algorithm: ${algorithm}`);
    for (const url of Object.values(published)) expect(text).toContain(`URI:${url}`);
  });

  it.each(["rsa:1024", "ec -pkeyopt ec_paramgen_curve:secp521r1"])("%s is no key that signs here", (kind) => {
    folder.run(`req -x509 -newkey ${kind} -nodes -keyout weak.key -out weak.pem -subj /CN=weak`);
    expect(() => certificateSigner(folder.read("weak.key"))).toThrow(unsupported);
  });

  it("names itself in what it signs byte for byte, in whatever string type an outside tool wrote its name", async () => {
    folder.write("names.cnf", "[req]\nstring_mask=default\ndistinguished_name=dn\n[dn]\n");
    folder.run(
      "req -x509 -config names.cnf -newkey rsa:2048 -nodes -keyout own.key -out own.pem -days 30 -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign -subj /C=DE/O=Works/CN=Own",
    );
    const own = openIssuingCa(parseCertificate(folder.read("own.pem")), folder.read("own.key"));
    const { publicKey } = generateCertificateKey();
    const leaf = await issueDeviceCertificate({ ca: own, deviceUuid: UUID, publicKey, now: new Date() });
    folder.write("own-leaf.pem", leaf.certificatePem);
    expect(folder.run("verify -x509_strict -CAfile own.pem own-leaf.pem")).toContain("OK");
  });
});

describe("a cross-certificate", () => {
  it("makes who trusts only the next server CA believe what the old one signed, and nothing more", async () => {
    const old = await createFleetCa({ commonName: "Old server CA", now });
    const next = await createServerCa({ commonName: "Next server CA", now });
    const server = await issueServerCertificate({
      ca: openIssuingCa(old.certificate, old.privateKeyPem),
      names: ["gate.example"],
      now,
    });
    const cross = await crossSign({
      ca: openIssuingCa(next.certificate, next.privateKeyPem),
      other: old.certificate,
      now,
      validForDays: 30,
    });
    for (const [name, pem] of Object.entries({ old, next, server, cross })) {
      folder.write(`x-${name}.pem`, pem.certificatePem);
    }
    const verify = (roots: string, extra: string) =>
      folder.talk(
        `verify -x509_strict -purpose sslserver -attime ${Math.floor(now.getTime() / 1000)} -CAfile ${roots} ${extra}x-server.pem`,
      );
    expect(await verify("x-next.pem", "-untrusted x-cross.pem ")).toContain("OK");
    expect(await verify("x-old.pem", "-untrusted x-cross.pem ")).toContain("OK");
    expect(await verify("x-next.pem", "")).toContain("unable to get local issuer certificate");
    expect(cross.certificate.notAfter.getTime() - now.getTime()).toBeLessThanOrEqual(30 * DAY_MS);
  });
});

describe("a server certificate", () => {
  it("answers for each DNS name and each address, and its key belongs to it", async () => {
    const issued = await issueServerCertificate({ ca, names: ["Gate.example", "127.0.0.1", "::1"], now });
    const parsed = new X509Certificate(issued.certificatePem);
    expect(parsed.checkHost("gate.example")).toBe("gate.example");
    expect(parsed.checkIP("127.0.0.1")).toBe("127.0.0.1");
    expect(parsed.checkIP("::1")).toBe("::1");
    expect(parsed.checkHost("other.example")).toBeUndefined();
    expect(parsed.publicKey.equals(createPublicKey(issued.privateKeyPem))).toBe(true);
    expect(parseCertificate(issued.certificatePem)).toMatchObject({
      keyUsage: ["digitalSignature"],
      extendedKeyUsage: ["1.3.6.1.5.5.7.3.1"],
    });
    folder.write("server.pem", issued.certificatePem);
    const at = Math.floor(now.getTime() / 1000);
    expect(folder.run(`verify -x509_strict -purpose sslserver -attime ${at} -CAfile ca.pem server.pem`)).toContain(
      "OK",
    );
  });

  it("is not made for no name or for what is no name", async () => {
    await expect(issueServerCertificate({ ca, names: [], now })).rejects.toThrow(unsupported);
    for (const name of ["", "a b", "https://x", "x:443", "-x.example", `${"a".repeat(64)}.example`, "x\n"]) {
      await expect(issueServerCertificate({ ca, names: [name], now }), name).rejects.toThrow(unsupported);
    }
  });
});

import { execFileSync } from "node:child_process";
import { createPrivateKey } from "node:crypto";
import { writeFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { certificatePem, parseCertificate } from "#lib/pki/certificates.ts";
import { createFleetCa, createServerCa, issueDeviceCertificate, openIssuingCa } from "#lib/pki/issue.ts";
import { generateCertificateKey } from "#lib/pki/keys.ts";
import { makePkcs12 } from "#lib/pki/pkcs12.ts";
import { type OpensslFolder, openssl } from "#tests/pki/openssl.ts";

const now = new Date();
let folder: OpensslFolder;
let device: Awaited<ReturnType<typeof makeDevice>>;
let authorities: Parameters<typeof makePkcs12>[0]["authorities"];

async function makeDevice() {
  const made = await createFleetCa({ commonName: "Fleet CA", now });
  const server = await createServerCa({ commonName: "Server CA", now });
  authorities = [server.certificate, made.certificate];
  const key = generateCertificateKey();
  const ca = openIssuingCa(made.certificate, made.privateKeyPem);
  const deviceUuid = "0f8fad5b-d9cb-469f-a165-70867728950e";
  const issued = await issueDeviceCertificate({ ca, deviceUuid, publicKey: key.publicKey, now });
  return { ...issued, privateKeyPem: key.privateKeyPem };
}

beforeAll(async () => {
  folder = openssl();
  device = await makeDevice();
});
afterAll(() => folder.remove());

const PEM_CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;
const fingerprints = (pem: string) =>
  (pem.match(PEM_CERTIFICATE) ?? []).map((each) => parseCertificate(each).fingerprint);
const spki = (pem: string) => createPrivateKey(pem).export({ type: "pkcs8", format: "der" }).toString("hex");

/** OpenSSL takes an empty word only as an argument of its own. */
function read(password: string, what: string): string {
  const args = ["pkcs12", "-in", "x.p12", "-passin", `pass:${password}`, ...what.split(" ")];
  return execFileSync("openssl", args, { cwd: folder.path, encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
}

function writeP12(password: string): void {
  writeFileSync(`${folder.path}/x.p12`, makePkcs12({ ...device, authorities, password }));
}

describe("a PKCS#12 file", () => {
  it.each(["", "pass wörd"])("is read by openssl as made: key, certificate, authorities; password %j", (password) => {
    writeP12(password);
    const leaf = read(password, "-nodes -clcerts");
    expect(spki(leaf)).toBe(spki(device.privateKeyPem));
    expect(fingerprints(leaf)).toEqual([device.certificate.fingerprint]);
    expect(fingerprints(read(password, "-nokeys -cacerts")).sort()).toEqual(
      authorities.map(({ fingerprint }) => fingerprint).sort(),
    );
    expect(() => read("wrong", "-nodes")).toThrow();
  });

  it("does not hold the key in the clear once it has a password", () => {
    const secret = createPrivateKey(device.privateKeyPem).export({ type: "pkcs8", format: "der" });
    expect(makePkcs12({ ...device, authorities, password: "" }).includes(secret)).toBe(true);
    expect(makePkcs12({ ...device, authorities, password: "x" }).includes(secret)).toBe(false);
  });

  it("shows a changed byte: the MAC covers keys and certificates", () => {
    const bytes = makePkcs12({ ...device, authorities, password: "" });
    const at = bytes.indexOf(device.certificate.der) + 100;
    bytes[at] = (bytes[at] ?? 0) ^ 1;
    writeFileSync(`${folder.path}/x.p12`, bytes);
    expect(() => read("", "-nokeys")).toThrow();
  });

  it("is plain ASN.1 to a strict parser and far below the client's 64 KiB", () => {
    const bytes = makePkcs12({ ...device, authorities, password: "" });
    expect(bytes.length).toBeLessThan(4_096);
    writeP12("");
    expect(folder.run("asn1parse -inform DER -in x.p12")).toContain("OBJECT            :pkcs7-data");
  });

  it("is not made of a key that is not the certificate's, or is no key", () => {
    const make = (privateKeyPem: string) => () => makePkcs12({ ...device, privateKeyPem, authorities, password: "" });
    expect(make(generateCertificateKey().privateKeyPem)).toThrow(expect.objectContaining({ code: "pki.key_mismatch" }));
    expect(make(certificatePem(device.certificate))).toThrow(expect.objectContaining({ code: "pki.malformed" }));
  });
});

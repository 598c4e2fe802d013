import { execFileSync } from "node:child_process";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parseCertificate } from "#lib/pki/certificates.ts";
import { CSR_LIMITS, readRequest } from "#lib/pki/csr.ts";
import { certificatesOnly, requestAttributes } from "#lib/pki/pkcs7.ts";
import { type OpensslFolder, openssl } from "#tests/pki/openssl.ts";
import { createSoftwareCa } from "#tests/pki/software-ca.ts";

let folder: OpensslFolder;
beforeAll(() => {
  folder = openssl();
});
afterAll(() => folder.remove());

/** A request made by openssl, as DER. */
function request(newKey: string, subject = "/CN=truck-7", more = "-sha256"): Buffer {
  const args = ["req", "-new", "-nodes", "-keyout", "x.key", "-subj", subject, "-outform", "DER"];
  const all = [...args, ...newKey.split(" "), ...more.split(" ")];
  return execFileSync("openssl", all, { cwd: folder.path, stdio: ["ignore", "pipe", "ignore"] });
}

const EC = "-newkey ec -pkeyopt ec_paramgen_curve:";
const codeOf = (act: () => unknown): unknown => {
  try {
    act();
  } catch (error) {
    return error instanceof Error && "code" in error ? error.code : error;
  }
  return "taken";
};

describe("a request for a certificate", () => {
  it.each([
    [`${EC}P-256`, "P-256"],
    [`${EC}P-384`, "P-384"],
    ["-newkey rsa:2048", "RSA-2048"],
    ["-newkey ed25519", "Ed25519"],
  ])("made by openssl with %s is read with its proof", (newKey, type) => {
    expect(readRequest(request(newKey))).toMatchObject({ key: { type }, commonName: "truck-7" });
  });

  it("is the same as DER, as PEM, and as base64 with and without line breaks; a challenge password is nobody's", () => {
    const der = request(`${EC}P-256`, "/CN=truck-7/O=x", "-sha256 -addext subjectAltName=DNS:evil.example");
    const base64 = der.toString("base64");
    const lines = base64.match(/.{1,64}/g)?.join("\r\n") ?? "";
    const pem = `-----BEGIN CERTIFICATE REQUEST-----\n${lines}\n-----END CERTIFICATE REQUEST-----\n`;
    const { spkiSha256 } = readRequest(der);
    for (const form of [base64, lines, pem]) expect(readRequest(Buffer.from(form)).spkiSha256).toBe(spkiSha256);
  });

  it("counts for nothing when any byte of it was changed", () => {
    const der = request(`${EC}P-256`);
    const asked = readRequest(der).spkiSha256;
    for (let at = 0; at < der.length; at += 7) {
      const altered = Buffer.from(der);
      altered.writeUInt8(altered.readUInt8(at) ^ 0x01, at);
      const code = codeOf(() => expect(readRequest(altered).spkiSha256).not.toBe(asked));
      expect([at, ["csr.malformed", "csr.bad_proof", "csr.weak_key"].includes(String(code))]).toEqual([at, true]);
    }
  });

  it.each([
    ["RSA of 1024 bits", "-newkey rsa:1024", "-sha256", "csr.weak_key"],
    ["a curve that is not known", `${EC}secp256k1`, "-sha256", "csr.weak_key"],
    ["a curve that is too small", `${EC}P-224`, "-sha256", "csr.weak_key"],
    ["a signature with SHA-1", "-newkey rsa:2048", "-sha1", "csr.bad_proof"],
  ])("is refused with %s", (_, newKey, more, code) => {
    const der = request(newKey, "/CN=x", more);
    expect(codeOf(() => readRequest(der))).toBe(code);
  });

  it("is refused with a good key of a kind that the authority does not want", () => {
    const der = request(`${EC}P-384`);
    expect(codeOf(() => readRequest(der, ["P-256"]))).toBe("csr.weak_key");
    expect(codeOf(() => readRequest(der, ["P-256", "P-384"]))).toBe("taken");
  });

  it.each([
    ["nothing", Buffer.alloc(0)],
    ["text", Buffer.from("hello, world!")],
    ["a certificate's shape", Buffer.from("3003020100", "hex")],
    ["something larger than any request", Buffer.alloc(CSR_LIMITS.derBytes + 1, 0x30)],
    ["more base64 than any request", Buffer.alloc(CSR_LIMITS.base64Characters + 1, "A")],
    ["bytes behind it", null],
  ])("is not %s", (_, bytes) => {
    const body = bytes ?? Buffer.concat([request(`${EC}P-256`), Buffer.from([0])]);
    expect(codeOf(() => readRequest(body))).toBe("csr.malformed");
  });
});

describe("messages of RFC 7030", () => {
  it("carry certificates that openssl prints, exactly these", async () => {
    const made = await Promise.all(["one", "two"].map((commonName) => createSoftwareCa({ commonName })));
    const der = certificatesOnly(made.map(({ certificate }) => certificate));
    folder.write(
      "x.p7",
      `-----BEGIN PKCS7-----\n${der
        .toString("base64")
        .match(/.{1,64}/g)
        ?.join("\n")}\n-----END PKCS7-----\n`,
    );
    const printed = folder.run("pkcs7 -in x.p7 -print_certs");
    const found = printed.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
    expect(found.map((pem) => parseCertificate(pem).fingerprint).sort()).toEqual(
      made.map(({ certificate }) => certificate.fingerprint).sort(),
    );
  });

  it("ask for a key on P-256 and SHA-256, in words that openssl reads", () => {
    folder.write("a.pem", `-----BEGIN X-----\n${requestAttributes().toString("base64")}\n-----END X-----\n`);
    const printed = folder.run("asn1parse -in a.pem");
    for (const name of ["id-ecPublicKey", "prime256v1", "ecdsa-with-SHA256"]) expect(printed).toContain(name);
  });
});

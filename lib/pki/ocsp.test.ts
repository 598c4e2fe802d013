import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { plainSerial } from "#lib/pki/crl.ts";
import { explicit, extension, octets, sequence } from "#lib/pki/der-writer.ts";
import { createFleetCa, type IssuingCa, issueDeviceCertificate, openIssuingCa } from "#lib/pki/issue.ts";
import { certificateSigner, generateCertificateKey } from "#lib/pki/keys.ts";
import {
  isAskedAbout,
  issueOcspResponderCertificate,
  issuerDigests,
  type OcspResponder,
  type OcspStatus,
  ocspError,
  signOcspResponse,
} from "#lib/pki/ocsp.ts";
import { OCSP_LIMITS, parseOcspRequest } from "#lib/pki/ocsp-request.ts";
import { type OpensslFolder, openssl } from "#tests/pki/openssl.ts";

const now = new Date(Math.floor(Date.now() / 1_000) * 1_000);
const HOUR_MS = 3_600_000;
const malformed = expect.objectContaining({ code: "pki.malformed" });

let folder: OpensslFolder;
let ca: IssuingCa;
let responder: OcspResponder;
let serial: string;
beforeAll(async () => {
  folder = openssl();
  const made = await createFleetCa({ commonName: "Fleet CA", now });
  ca = openIssuingCa(made.certificate, made.privateKeyPem);
  const other = await createFleetCa({ commonName: "Fleet CA", now });
  const key = generateCertificateKey();
  const issued = await issueOcspResponderCertificate({
    ca,
    publicKey: key.publicKey,
    notBefore: new Date(now.getTime() - HOUR_MS),
    notAfter: new Date(now.getTime() + HOUR_MS),
  });
  responder = { certificate: issued.certificate, signer: certificateSigner(key.privateKeyPem) };
  const leaf = await issueDeviceCertificate({ ca, deviceUuid: crypto.randomUUID(), publicKey: key.publicKey, now });
  serial = plainSerial(leaf.certificate.serialHex);
  folder.write("ca.pem", made.certificatePem);
  folder.write("other.pem", other.certificatePem);
  folder.write("leaf.pem", leaf.certificatePem);
});
afterAll(() => folder.remove());

const digestsOf = (hash: Parameters<typeof issuerDigests>[1]) => issuerDigests(ca.certificate, hash);
const ask = (args: string) => {
  folder.run(`ocsp -issuer ca.pem ${args} -reqout req.der`);
  return readFileSync(join(folder.path, "req.der"));
};

function readBack(answer: Buffer, args: string): string {
  writeFileSync(join(folder.path, "resp.der"), answer);
  const files = "-respin resp.der -CAfile ca.pem -no_nonce";
  // Once with the request that was sent, nonce and all, and once by the certificate, for its status.
  return folder.tell(`ocsp -reqin req.der ${files}`) + folder.tell(`ocsp -issuer ca.pem ${args} ${files}`);
}

function answerTo(request: Buffer, status: OcspStatus): Buffer {
  const { asked, nonce } = parseOcspRequest(request);
  const nextUpdate = new Date(now.getTime() + HOUR_MS);
  return signOcspResponse({
    responder,
    answers: asked.map((id) => ({ id, ...status })),
    thisUpdate: now,
    nextUpdate,
    nonce,
  });
}

describe("an OCSP answer", () => {
  it.each([
    ["good, asked by SHA-1", "-cert leaf.pem", { status: "good" }, /leaf\.pem: good/],
    ["good, asked by SHA-256", "-sha256 -cert leaf.pem", { status: "good" }, /leaf\.pem: good/],
    ["unknown", "-cert leaf.pem", { status: "unknown" }, /leaf\.pem: unknown/],
    [
      "revoked with a reason",
      "-cert leaf.pem",
      { status: "revoked", at: now, reason: "keyCompromise" },
      /leaf\.pem: revoked[\s\S]*keyCompromise/,
    ],
    [
      "revoked without a reason",
      "-cert leaf.pem",
      { status: "revoked", at: now, reason: "unspecified" },
      /leaf\.pem: revoked/,
    ],
  ] as const)("is verified by openssl: %s", async (_name, args, status, said) => {
    const request = ask(args);
    expect(parseOcspRequest(request).asked.map((id) => [id.serial, isAskedAbout(id, digestsOf)])).toEqual([
      [serial, true],
    ]);
    const printed = readBack(answerTo(request, status), args);
    expect(printed).toContain("Response verify OK");
    expect(printed).toMatch(said);
    expect(printed).not.toContain("WARNING");
  });

  it("without a nonce where none was asked for, and refused by openssl where another one comes back", async () => {
    const bare = ask("-no_nonce -cert leaf.pem");
    expect(parseOcspRequest(bare).nonce).toBeNull();
    const printed = readBack(answerTo(bare, { status: "good" }), "-cert leaf.pem");
    expect(printed).toContain("Response verify OK");
    const replayed = answerTo(ask("-cert leaf.pem"), { status: "good" });
    ask("-cert leaf.pem");
    expect(readBack(replayed, "-cert leaf.pem")).toContain("Nonce Verify error");
  });

  it("is not believed from a key without the authority's delegation", async () => {
    const request = ask("-cert leaf.pem");
    const { asked, nonce } = parseOcspRequest(request);
    const key = generateCertificateKey();
    const device = await issueDeviceCertificate({ ca, deviceUuid: crypto.randomUUID(), publicKey: key.publicKey, now });
    const impostor = { certificate: device.certificate, signer: certificateSigner(key.privateKeyPem) };
    const answers = asked.map((id) => ({ id, status: "good" as const }));
    const nextUpdate = new Date(now.getTime() + HOUR_MS);
    const answer = signOcspResponse({ responder: impostor, answers, thisUpdate: now, nextUpdate, nonce });
    expect(readBack(answer, "-cert leaf.pem")).toContain("Response Verify Failure");
  });

  it("says unsigned that nothing can be said", async () => {
    ask("-cert leaf.pem");
    expect(readBack(ocspError("malformedRequest"), "-cert leaf.pem")).toContain("malformedrequest (1)");
    expect(readBack(ocspError("unauthorized"), "-cert leaf.pem")).toContain("unauthorized (6)");
  });
});

describe("parseOcspRequest", () => {
  it("tells authorities of one name apart by their key", () => {
    folder.run("ocsp -issuer other.pem -cert leaf.pem -reqout req.der");
    const [id] = parseOcspRequest(readFileSync(join(folder.path, "req.der"))).asked;
    expect(id !== undefined && isAskedAbout(id, digestsOf)).toBe(false);
  });

  it("takes as many certificates as its limit, and no more", () => {
    const serials = (count: number) => Array.from({ length: count }, (_, index) => `-serial 0x${index + 1}`).join(" ");
    expect(parseOcspRequest(ask(serials(OCSP_LIMITS.certificates))).asked).toHaveLength(OCSP_LIMITS.certificates);
    expect(() => parseOcspRequest(ask(serials(OCSP_LIMITS.certificates + 1)))).toThrow(malformed);
  });

  it("refuses a nonce of more than 32 bytes", () => {
    const request = ask("-cert leaf.pem");
    const [id] = parseOcspRequest(request).asked;
    const withNonce = (nonce: Buffer) => {
      const list = sequence(sequence(id?.der ?? Buffer.alloc(0)));
      return sequence(sequence(list, explicit(2, sequence(extension("1.3.6.1.5.5.7.48.1.2", octets(nonce))))));
    };
    expect(parseOcspRequest(withNonce(Buffer.alloc(32, 7))).nonce).toEqual(Buffer.alloc(32, 7));
    expect(() => parseOcspRequest(withNonce(Buffer.alloc(33, 7)))).toThrow(malformed);
    expect(() => parseOcspRequest(withNonce(Buffer.alloc(0)))).toThrow(malformed);
  });

  it("refuses every cut of a request, large ones and those whose bytes are turned, without any other error", () => {
    const request = ask("-cert leaf.pem");
    for (let length = 0; length < request.length; length += 1) {
      expect(() => parseOcspRequest(request.subarray(0, length))).toThrow(malformed);
    }
    for (let at = 0; at < request.length; at += 1) {
      const turned = Buffer.from(request);
      turned[at] = (turned[at] ?? 0) ^ 0x81;
      try {
        parseOcspRequest(turned);
      } catch (error) {
        expect(error).toMatchObject({ code: "pki.malformed" });
      }
    }
    expect(() => parseOcspRequest(Buffer.alloc(OCSP_LIMITS.requestBytes + 1))).toThrow(
      expect.objectContaining({ code: "request.too_large" }),
    );
  });
});

import "reflect-metadata";
import { createHash, type KeyObject, randomBytes } from "node:crypto";
import { type Extension, type Name, X509CertificateGenerator } from "@peculiar/x509";
import { type CertificateFacts, certificatePem, parseCertificate } from "#lib/pki/certificates.ts";
import { signedPartOf } from "#lib/pki/der.ts";
import type { CertificateSigner } from "#lib/pki/keys.ts";

export type IssuedCertificate = { readonly certificate: CertificateFacts; readonly certificatePem: string };

type ToSign = {
  readonly subject: Name;
  readonly issuer: Name;
  readonly publicKey: KeyObject;
  readonly signer: CertificateSigner;
  readonly notBefore: Date;
  readonly notAfter: Date;
  readonly extensions: Extension[];
};

/**
 * Makes a certificate of exactly these contents, with a serial number of its own.
 *
 * The library builds the signed part; the signer, which may live elsewhere, signs exactly those bytes.
 *
 * @see RFC 5280 section 4.1
 */
export async function signCertificate(toSign: ToSign): Promise<IssuedCertificate> {
  const params = {
    serialNumber: randomSerialHex(),
    subject: toSign.subject,
    issuer: toSign.issuer,
    notBefore: toSign.notBefore,
    notAfter: toSign.notAfter,
    publicKey: spkiOf(toSign.publicKey),
    signingAlgorithm: toSign.signer.algorithm,
    extensions: toSign.extensions,
  };
  const draft = await X509CertificateGenerator.create({ ...params, signature: DRAFT_SIGNATURE });
  const signature = toSign.signer.sign(signedPartOf(Buffer.from(draft.rawData)));
  const signed = await X509CertificateGenerator.create({ ...params, signature: new Uint8Array(signature) });
  const certificate = parseCertificate(Buffer.from(signed.rawData));
  return { certificate, certificatePem: certificatePem(certificate) };
}

const DRAFT_SIGNATURE = new Uint8Array(132).fill(1);

/** @see RFC 7093 section 2 (1): the first 160 bits of a SHA-256, here of the whole SubjectPublicKeyInfo (4). */
export function keyIdentifier(publicKey: KeyObject): string {
  return spkiSha256(publicKey).slice(0, 40);
}

/** SHA-256 of the SubjectPublicKeyInfo, lower-case hex. */
export function spkiSha256(publicKey: KeyObject): string {
  return createHash("sha256").update(spkiOf(publicKey)).digest("hex");
}

function spkiOf(publicKey: KeyObject): Uint8Array<ArrayBuffer> {
  return new Uint8Array(publicKey.export({ type: "spki", format: "der" }));
}

/** 127 random bits: positive as DER wants it, never zero. */
function randomSerialHex(): string {
  const serial = randomBytes(16);
  serial[0] = ((serial[0] ?? 0) & 0x7f) | 0x40;
  return serial.toString("hex");
}

import "reflect-metadata";
import { createHash, type KeyObject, randomBytes } from "node:crypto";
import { isIP } from "node:net";
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  type Extension,
  KeyUsageFlags,
  KeyUsagesExtension,
  Name,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate,
  X509CertificateGenerator,
} from "@peculiar/x509";
import { AppError } from "#lib/errors/app-error.ts";
import { type CertificateFacts, certificatePem, parseCertificate } from "#lib/pki/certificates.ts";
import { signedPartOf } from "#lib/pki/der.ts";
import { CANONICAL_UUID } from "#lib/pki/device-id.ts";
import { type CertificateSigner, certificateSigner, generateCertificateKey } from "#lib/pki/keys.ts";

/** An authority that can sign: its certificate and the handle of its key. */
export type IssuingCa = { readonly certificate: CertificateFacts; readonly signer: CertificateSigner };

export type IssuedCertificate = { readonly certificate: CertificateFacts; readonly certificatePem: string };

/** A certificate together with its new private key (PKCS#8 PEM), which exists nowhere else. */
export type IssuedCredentials = IssuedCertificate & { readonly privateKeyPem: string };

const DAY_MS = 86_400_000;
const CA_VALID_FOR_DAYS = 3653;
/** Devices' clocks run late: a certificate is valid from a little before it is made. */
const BACKDATED_MS = 3_600_000;

/**
 * Makes the CA that signs device certificates: P-256, ten years, signs leaves only (path length 0).
 *
 * @see contracts/gateway.md section 5 step 1
 */
export function createFleetCa(input: { commonName: string; now: Date }): Promise<IssuedCredentials> {
  return createCa(input);
}

/** Makes the CA that signs the doors' server certificates; separate, so that a fleet CA can be replaced without devices losing the server. */
export function createServerCa(input: { commonName: string; now: Date }): Promise<IssuedCredentials> {
  return createCa(input);
}

/** Makes the CA of the shared certificates with which devices register; no door takes what it signs for a device. */
export function createBootstrapCa(input: { commonName: string; now: Date }): Promise<IssuedCredentials> {
  return createCa(input);
}

/**
 * Opens an authority for signing.
 *
 * @throws AppError `pki.key_mismatch` when the key is not the certificate's | `pki.malformed` | `pki.unsupported`
 */
export function openIssuingCa(certificate: CertificateFacts, privateKeyPem: string): IssuingCa {
  const signer = certificateSigner(privateKeyPem);
  if (sha256Hex(spkiOf(signer.publicKey)) !== certificate.spkiSha256) {
    throw new AppError("pki.key_mismatch", "The authority's private key does not belong to its certificate.");
  }
  return { certificate, signer };
}

/**
 * Signs a device's certificate: CN = its UUID, digital signature and client authentication only.
 *
 * @throws AppError `pki.unsupported` when the UUID is not in canonical form or the CA has expired
 * @see contracts/gateway.md section 5 step 1
 */
export async function issueDeviceCertificate(input: {
  ca: IssuingCa;
  deviceUuid: string;
  publicKey: KeyObject;
  now: Date;
  validForDays?: number;
  /** A second part of the subject, for marks that only people read. */
  organizationalUnit?: string;
}): Promise<IssuedCertificate> {
  if (!CANONICAL_UUID.test(input.deviceUuid)) {
    throw new AppError("pki.unsupported", "A device certificate names a UUID in lower-case canonical form.");
  }
  return signLeaf(input.ca, {
    subject: nameOf(input.deviceUuid, input.organizationalUnit),
    publicKey: input.publicKey,
    ...lifetime(input.ca, input.now, input.validForDays ?? 365),
    extensions: clientExtensions(),
  });
}

/**
 * Signs a shared certificate with which devices register. Its common name is never a device's.
 *
 * @throws AppError `pki.unsupported` when the name is a UUID or the CA has expired
 * @see contracts/gateway.md section 4
 */
export async function issueBootstrapCertificate(input: {
  ca: IssuingCa;
  commonName: string;
  publicKey: KeyObject;
  now: Date;
  validForDays: number;
}): Promise<IssuedCertificate> {
  if (CANONICAL_UUID.test(input.commonName.toLowerCase())) {
    throw new AppError("pki.unsupported", "A shared certificate must not carry the name of a device.");
  }
  return signLeaf(input.ca, {
    subject: nameOf(input.commonName),
    publicKey: input.publicKey,
    ...lifetime(input.ca, input.now, input.validForDays),
    extensions: clientExtensions(),
  });
}

/**
 * Signs a door's server certificate for DNS names and IP addresses.
 *
 * @throws AppError `pki.unsupported` for no name, a malformed name or an expired CA
 * @see contracts/aktualizr-client.md section 1 (an IP literal needs an IP SAN)
 */
export async function issueServerCertificate(input: {
  ca: IssuingCa;
  names: readonly string[];
  now: Date;
  validForDays?: number;
}): Promise<IssuedCredentials> {
  const names = input.names.map(serverName);
  const [first] = input.names;
  if (first === undefined) throw new AppError("pki.unsupported", "A server certificate needs at least one name.");
  const key = generateCertificateKey();
  const issued = await signLeaf(input.ca, {
    subject: nameOf(first.slice(0, 64)),
    publicKey: key.publicKey,
    ...lifetime(input.ca, input.now, input.validForDays ?? 365),
    extensions: [
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
      new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth]),
      new SubjectAlternativeNameExtension(names),
    ],
  });
  return { ...issued, privateKeyPem: key.privateKeyPem };
}

function clientExtensions(): Extension[] {
  return [
    new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
    new ExtendedKeyUsageExtension([ExtendedKeyUsage.clientAuth]),
  ];
}

async function createCa(input: { commonName: string; now: Date }): Promise<IssuedCredentials> {
  const key = generateCertificateKey();
  const issued = await signCertificate({
    subject: nameOf(input.commonName),
    issuer: nameOf(input.commonName),
    publicKey: key.publicKey,
    signer: certificateSigner(key.privateKeyPem),
    notBefore: wholeSeconds(input.now.getTime() - BACKDATED_MS),
    notAfter: wholeSeconds(input.now.getTime() + CA_VALID_FOR_DAYS * DAY_MS),
    extensions: [
      new BasicConstraintsExtension(true, 0, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
      new SubjectKeyIdentifierExtension(keyIdentifier(key.publicKey)),
    ],
  });
  return { ...issued, privateKeyPem: key.privateKeyPem };
}

type Leaf = {
  subject: Name;
  publicKey: KeyObject;
  notBefore: Date;
  notAfter: Date;
  extensions: Extension[];
};

function signLeaf(ca: IssuingCa, leaf: Leaf): Promise<IssuedCertificate> {
  return signCertificate({
    subject: leaf.subject,
    issuer: new X509Certificate(new Uint8Array(ca.certificate.der)).subjectName,
    publicKey: leaf.publicKey,
    signer: ca.signer,
    notBefore: leaf.notBefore,
    notAfter: leaf.notAfter,
    extensions: [
      new BasicConstraintsExtension(false, undefined, true),
      ...leaf.extensions,
      new SubjectKeyIdentifierExtension(keyIdentifier(leaf.publicKey)),
      new AuthorityKeyIdentifierExtension(ca.certificate.ski ?? keyIdentifier(ca.signer.publicKey)),
    ],
  });
}

type ToSign = {
  subject: Name;
  issuer: Name;
  publicKey: KeyObject;
  signer: CertificateSigner;
  notBefore: Date;
  notAfter: Date;
  extensions: Extension[];
};

/** The library builds the signed part; the signer, which may live elsewhere, signs exactly those bytes. */
async function signCertificate(toSign: ToSign): Promise<IssuedCertificate> {
  const params = {
    serialNumber: randomSerialHex(),
    subject: toSign.subject,
    issuer: toSign.issuer,
    notBefore: toSign.notBefore,
    notAfter: toSign.notAfter,
    publicKey: spkiOf(toSign.publicKey),
    signingAlgorithm: { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" },
    extensions: toSign.extensions,
  };
  const draft = await X509CertificateGenerator.create({ ...params, signature: new Uint8Array(64).fill(1) });
  const signature = toSign.signer.sign(signedPartOf(Buffer.from(draft.rawData)));
  const signed = await X509CertificateGenerator.create({ ...params, signature: new Uint8Array(signature) });
  const certificate = parseCertificate(Buffer.from(signed.rawData));
  return { certificate, certificatePem: certificatePem(certificate) };
}

function nameOf(commonName: string, organizationalUnit?: string): Name {
  const unit = organizationalUnit === undefined ? [] : [{ OU: [organizationalUnit] }];
  return new Name([{ CN: [commonName] }, ...unit]);
}

/** Nothing outlives its CA: a longer life would end early in a way no page explains. */
function lifetime(ca: IssuingCa, now: Date, validForDays: number): { notBefore: Date; notAfter: Date } {
  const caEnds = ca.certificate.notAfter.getTime();
  if (caEnds <= now.getTime()) throw new AppError("pki.unsupported", "The signing authority has expired.");
  return {
    notBefore: wholeSeconds(Math.max(now.getTime() - BACKDATED_MS, ca.certificate.notBefore.getTime())),
    notAfter: wholeSeconds(Math.min(now.getTime() + validForDays * DAY_MS, caEnds)),
  };
}

const DNS_NAME = /^(?=.{1,253}$)(\*\.)?([a-z0-9_]([a-z0-9-]{0,61}[a-z0-9])?)(\.[a-z0-9_]([a-z0-9-]{0,61}[a-z0-9])?)*$/i;

function serverName(name: string): { type: "dns" | "ip"; value: string } {
  if (isIP(name) !== 0) return { type: "ip", value: name };
  if (DNS_NAME.test(name)) return { type: "dns", value: name.toLowerCase() };
  throw new AppError("pki.unsupported", `"${name}" is neither a DNS name nor an IP address.`);
}

/** 127 random bits: positive as DER wants it, never zero. */
function randomSerialHex(): string {
  const serial = randomBytes(16);
  serial[0] = ((serial[0] ?? 0) & 0x7f) | 0x40;
  return serial.toString("hex");
}

/** @see RFC 7093 section 2 (1): the first 160 bits of a SHA-256, here of the whole SubjectPublicKeyInfo (4). */
function keyIdentifier(publicKey: KeyObject): string {
  return sha256Hex(spkiOf(publicKey)).slice(0, 40);
}

function spkiOf(publicKey: KeyObject): Uint8Array<ArrayBuffer> {
  return new Uint8Array(publicKey.export({ type: "spki", format: "der" }));
}

function sha256Hex(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

function wholeSeconds(timeMs: number): Date {
  return new Date(Math.floor(timeMs / 1000) * 1000);
}

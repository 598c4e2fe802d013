import "reflect-metadata";
import { type KeyObject, X509Certificate as OpenSslCertificate } from "node:crypto";
import { isIP } from "node:net";
import {
  AuthorityInfoAccessExtension,
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  CRLDistributionPointsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  type Extension,
  KeyUsageFlags,
  KeyUsagesExtension,
  Name,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate,
} from "@peculiar/x509";
import { AppError } from "#lib/errors/app-error.ts";
import type { CertificateFacts } from "#lib/pki/certificates.ts";
import { CANONICAL_UUID } from "#lib/pki/device-id.ts";
import { type CaKeyKind, type CertificateSigner, certificateSigner, generateCertificateKey } from "#lib/pki/keys.ts";
import { type IssuedCertificate, keyIdentifier, signCertificate, spkiSha256 } from "#lib/pki/sign.ts";

export type { IssuedCertificate } from "#lib/pki/sign.ts";

/** An authority that can sign: its certificate and the handle of its key. */
export type IssuingCa = {
  readonly certificate: CertificateFacts;
  readonly signer: CertificateSigner;
  /** Where it publishes what it revoked; stands in every certificate that it signs. */
  readonly published?: PublishedAt;
};

/** Addresses that a certificate carries for its whole life. */
export type PublishedAt = { readonly crlUrl: string; readonly certificateUrl: string; readonly ocspUrl: string };

/** A certificate together with its new private key (PKCS#8 PEM), which exists nowhere else. */
export type IssuedCredentials = IssuedCertificate & { readonly privateKeyPem: string };

const DAY_MS = 86_400_000;
const CA_VALID_FOR_DAYS = 3653;
/** Devices' clocks run late: a certificate is valid from a little before it is made. */
export const BACKDATED_MS = 3_600_000;

type NewCa = { commonName: string; now: Date; keyKind?: CaKeyKind; validForDays?: number };

/**
 * Makes a CA that signs device certificates: P-256 and ten years unless told otherwise, signs leaves only (path length 0).
 *
 * @see contracts/gateway.md section 5 step 1
 */
export function createFleetCa(input: NewCa): Promise<IssuedCredentials> {
  return createCa(input, 0);
}

/**
 * Makes the CA that signs the doors' server certificates; separate, so that a fleet CA can be replaced without devices losing the
 * server. It may have another CA below it: the one that it replaces one day.
 */
export function createServerCa(input: NewCa): Promise<IssuedCredentials> {
  return createCa(input, 1);
}

/** Makes the CA of the shared certificates with which devices register; no door takes what it signs for a device. */
export function createBootstrapCa(input: NewCa): Promise<IssuedCredentials> {
  return createCa(input, 0);
}

/**
 * Signs another authority's name and key, so that who trusts only `ca` believes what that one signed.
 *
 * @param other its own certificate; what comes out has the same subject, key and key identifier
 * @throws AppError `pki.unsupported` when `ca` has expired
 * @see RFC 5280 section 3.2 (cross-certificates)
 */
export function crossSign(input: {
  ca: IssuingCa;
  other: CertificateFacts;
  now: Date;
  validForDays: number;
}): Promise<IssuedCertificate> {
  const { ca, other, now } = input;
  const { publicKey } = new OpenSslCertificate(other.der);
  return signCertificate({
    subject: subjectOf(other),
    issuer: subjectOf(ca.certificate),
    publicKey,
    signer: ca.signer,
    ...lifetime(ca, now, input.validForDays),
    extensions: [
      ...caExtensions(0),
      new SubjectKeyIdentifierExtension(other.ski ?? keyIdentifier(publicKey)),
      new AuthorityKeyIdentifierExtension(issuerKeyIdentifier(ca)),
    ],
  });
}

/**
 * Opens an authority for signing.
 *
 * @throws AppError `pki.key_mismatch` when the key is not the certificate's | `pki.malformed` | `pki.unsupported`
 */
export function openIssuingCa(certificate: CertificateFacts, privateKeyPem: string): IssuingCa {
  const signer = certificateSigner(privateKeyPem);
  if (spkiSha256(signer.publicKey) !== certificate.spkiSha256) {
    throw new AppError("pki.key_mismatch", "The authority's private key does not belong to its certificate.");
  }
  return { certificate, signer };
}

/** What points from something that was signed to its signer, lower-case hex. @see RFC 5280 section 4.2.1.1 */
export function issuerKeyIdentifier(ca: IssuingCa): string {
  return ca.certificate.ski ?? keyIdentifier(ca.signer.publicKey);
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

async function createCa(input: NewCa, pathLength: number): Promise<IssuedCredentials> {
  const key = generateCertificateKey(input.keyKind);
  const issued = await signCertificate({
    subject: nameOf(input.commonName),
    issuer: nameOf(input.commonName),
    publicKey: key.publicKey,
    signer: certificateSigner(key.privateKeyPem),
    notBefore: wholeSeconds(input.now.getTime() - BACKDATED_MS),
    notAfter: wholeSeconds(input.now.getTime() + (input.validForDays ?? CA_VALID_FOR_DAYS) * DAY_MS),
    extensions: [...caExtensions(pathLength), new SubjectKeyIdentifierExtension(keyIdentifier(key.publicKey))],
  });
  return { ...issued, privateKeyPem: key.privateKeyPem };
}

function caExtensions(pathLength: number): Extension[] {
  return [
    new BasicConstraintsExtension(true, pathLength, true),
    new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
  ];
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
    issuer: subjectOf(ca.certificate),
    publicKey: leaf.publicKey,
    signer: ca.signer,
    notBefore: leaf.notBefore,
    notAfter: leaf.notAfter,
    extensions: [
      new BasicConstraintsExtension(false, undefined, true),
      ...leaf.extensions,
      new SubjectKeyIdentifierExtension(keyIdentifier(leaf.publicKey)),
      new AuthorityKeyIdentifierExtension(issuerKeyIdentifier(ca)),
      ...publicationExtensions(ca.published),
    ],
  });
}

/** @see RFC 5280 sections 4.2.1.13 and 4.2.2.1 */
function publicationExtensions(published: PublishedAt | undefined): Extension[] {
  if (published === undefined) return [];
  return [
    new CRLDistributionPointsExtension([published.crlUrl]),
    new AuthorityInfoAccessExtension({ ocsp: published.ocspUrl, caIssuers: published.certificateUrl }),
  ];
}

/** Byte for byte as the CA has it: whoever checks a path compares names so. */
function subjectOf(certificate: CertificateFacts): Name {
  return new X509Certificate(new Uint8Array(certificate.der)).subjectName;
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

function wholeSeconds(timeMs: number): Date {
  return new Date(Math.floor(timeMs / 1000) * 1000);
}

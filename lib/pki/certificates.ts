import "reflect-metadata";
import { createHash, type KeyObject, X509Certificate as OpenSslCertificate } from "node:crypto";
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  type Name,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate,
} from "@peculiar/x509";
import { AppError } from "#lib/errors/app-error.ts";
import { signedPartOf } from "#lib/pki/der.ts";

export const KEY_USAGES = [
  "digitalSignature",
  "nonRepudiation",
  "keyEncipherment",
  "dataEncipherment",
  "keyAgreement",
  "keyCertSign",
  "cRLSign",
  "encipherOnly",
  "decipherOnly",
] as const;
export type KeyUsage = (typeof KEY_USAGES)[number];

export type PublicKeyFacts = {
  /** "other" is everything this product does not judge: it is refused as weak. */
  readonly kind: "ec" | "rsa" | "ed25519" | "other";
  /** OpenSSL's name of the curve (`prime256v1`), EC only. */
  readonly curve: string | null;
  /** Modulus or field size in bits. */
  readonly bits: number | null;
  /** What people and rules call it: one of `KEY_TYPES`, or another size or curve in the same form. */
  readonly type: string;
};

/** The kinds of key that a device may have. RSA is named by the largest of these sizes that it reaches. */
export const KEY_TYPES = ["P-256", "P-384", "P-521", "RSA-2048", "RSA-3072", "RSA-4096", "Ed25519"] as const;
export type KeyType = (typeof KEY_TYPES)[number];

/** What a certificate says, checked for shape only: nothing here means that anybody trusts it. */
export type CertificateFacts = {
  readonly der: Buffer;
  /** SHA-256 of the DER, lower-case hex. */
  readonly fingerprint: string;
  /** SHA-256 of the signed part, lower-case hex: the same for every re-encoding of the signature. */
  readonly tbsSha256: string;
  readonly subjectDn: string;
  /** The common name when the subject has exactly one, else null. */
  readonly subjectCn: string | null;
  /** Likewise the subject's serialNumber (2.5.4.5), organizational unit and user id. */
  readonly subjectSerialNumber: string | null;
  readonly subjectOu: string | null;
  readonly subjectUid: string | null;
  readonly sanDns: readonly string[];
  readonly sanUri: readonly string[];
  readonly issuerDn: string;
  readonly serialHex: string;
  readonly notBefore: Date;
  readonly notAfter: Date;
  readonly key: PublicKeyFacts;
  readonly spkiSha256: string;
  /** Hash the issuer signed with ("SHA-256"); null for Ed25519, "unknown" for what is not known. */
  readonly signatureHash: string | null;
  readonly keyUsage: readonly KeyUsage[] | null;
  /** OIDs. */
  readonly extendedKeyUsage: readonly string[] | null;
  readonly isCa: boolean;
  /** Subject and authority key identifiers, lower-case hex. */
  readonly ski: string | null;
  readonly aki: string | null;
  /** OIDs of critical extensions that this product does not understand. */
  readonly unknownCritical: readonly string[];
};

export const CERTIFICATE_LIMITS = { derBytes: 16 * 1024, pemCharacters: 32 * 1024, nameCharacters: 512 } as const;

/**
 * Reads one certificate, DER or PEM. The input is untrusted: bounded first, parsed by two parsers that must agree.
 *
 * @throws AppError `pki.malformed` | `request.too_large`
 * @see RFC 5280 section 4.1 and 4.2
 */
export function parseCertificate(derOrPem: Uint8Array | string): CertificateFacts {
  const der = toDer(derOrPem);
  try {
    return readFacts(der);
  } catch (error) {
    // NOTE: both parsers throw errors of any class for bytes they dislike; all of them mean the same here.
    throw malformed(error);
  }
}

/** The PEM form of a certificate, ending in a line feed. */
export function certificatePem(certificate: Pick<CertificateFacts, "der">): string {
  const lines = certificate.der.toString("base64").match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join("\n")}\n-----END CERTIFICATE-----\n`;
}

function toDer(derOrPem: Uint8Array | string): Buffer {
  if (typeof derOrPem !== "string" && derOrPem[0] === 0x30) return bounded(Buffer.from(derOrPem));
  if (derOrPem.length > CERTIFICATE_LIMITS.pemCharacters) throw tooLarge();
  const text = typeof derOrPem === "string" ? derOrPem : Buffer.from(derOrPem).toString("latin1");
  const blocks = [...text.matchAll(/-----BEGIN CERTIFICATE-----\s([A-Za-z0-9+/=\s]*)-----END CERTIFICATE-----/g)];
  const body = blocks[0]?.[1];
  if (blocks.length !== 1 || body === undefined) throw malformed();
  return bounded(Buffer.from(body, "base64"));
}

function bounded(der: Buffer): Buffer {
  if (der.length > CERTIFICATE_LIMITS.derBytes) throw tooLarge();
  return der;
}

function readFacts(der: Buffer): CertificateFacts {
  const openssl = new OpenSslCertificate(der);
  const parsed = new X509Certificate(new Uint8Array(der));
  if (!openssl.raw.equals(der)) throw malformed();
  const subjectCn = fieldOf(parsed.subjectName, "CN");
  if (subjectCn !== null && PLAIN.test(subjectCn) && !isOnlyCommonName(openssl, subjectCn)) throw malformed();
  const extensionTypes = parsed.extensions.map((extension) => extension.type);
  if (new Set(extensionTypes).size !== extensionTypes.length) throw malformed();
  return {
    der,
    fingerprint: sha256(der),
    tbsSha256: sha256(signedPartOf(der)),
    subjectDn: presentable(parsed.subject),
    subjectCn: subjectCn === null ? null : presentable(subjectCn),
    subjectSerialNumber: onlyField(parsed.subjectName, SERIAL_NUMBER),
    subjectOu: onlyField(parsed.subjectName, "OU"),
    subjectUid: onlyField(parsed.subjectName, USER_ID),
    ...alternativeNames(parsed),
    issuerDn: presentable(parsed.issuer),
    serialHex: openssl.serialNumber.toLowerCase(),
    notBefore: agreedDate(parsed.notBefore, openssl.validFromDate),
    notAfter: agreedDate(parsed.notAfter, openssl.validToDate),
    key: publicKeyFacts(publicKeyOf(openssl)),
    spkiSha256: sha256(Buffer.from(parsed.publicKey.rawData)),
    signatureHash: signatureHashOf(parsed),
    ...usageFacts(parsed),
  };
}

function usageFacts(parsed: X509Certificate) {
  const keyUsage = parsed.getExtension(KeyUsagesExtension);
  return {
    keyUsage: keyUsage && KEY_USAGES.filter((usage) => (keyUsage.usages & KeyUsageFlags[usage]) !== 0),
    extendedKeyUsage: parsed.getExtension(ExtendedKeyUsageExtension)?.usages.map(String) ?? null,
    isCa: parsed.getExtension(BasicConstraintsExtension)?.ca ?? false,
    ski: parsed.getExtension(SubjectKeyIdentifierExtension)?.keyId.toLowerCase() ?? null,
    aki: parsed.getExtension(AuthorityKeyIdentifierExtension)?.keyId?.toLowerCase() ?? null,
    unknownCritical: parsed.extensions.filter((e) => e.critical && !UNDERSTOOD.has(e.type)).map((e) => e.type),
  };
}

/** Basic constraints, key usage, extended key usage, subject alternative name (allowed critical, not used for identity). */
const UNDERSTOOD: ReadonlySet<string> = new Set(["2.5.29.19", "2.5.29.15", "2.5.29.37", "2.5.29.17"]);

const SERIAL_NUMBER = "2.5.4.5";
const USER_ID = "0.9.2342.19200300.100.1.1";

function fieldOf(name: Name, type: string): string | null {
  const values = name.getField(type);
  return values.length === 1 ? (values[0] ?? null) : null;
}

function onlyField(name: Name, type: string): string | null {
  const value = fieldOf(name, type);
  return value === null ? null : presentable(value);
}

function alternativeNames(parsed: X509Certificate): Pick<CertificateFacts, "sanDns" | "sanUri"> {
  const names = parsed.getExtension(SubjectAlternativeNameExtension)?.names.items ?? [];
  const of = (type: string) => names.filter((name) => name.type === type).map((name) => presentable(name.value));
  return { sanDns: of("dns"), sanUri: of("url") };
}

/** A common name that OpenSSL prints without escapes; every device UUID is one. */
const PLAIN = /^[A-Za-z0-9._-]+$/;

/**
 * Does OpenSSL, which the TLS layer trusts, read the same single common name?
 *
 * NOTE: never `toLegacyObject()` for this: in Node 24.21 it ends the process (SIGSEGV) on a key on a curve without a NIST
 * name, such as secp256k1.
 */
function isOnlyCommonName(openssl: OpenSslCertificate, commonName: string): boolean {
  const names = (openssl.subject ?? "").split(/\n| \+ /).filter((part) => part.startsWith("CN="));
  return names.length === 1 && names[0] === `CN=${commonName}`;
}

/** What kind of key this is; null for one that can't be loaded. */
export function publicKeyFacts(key: KeyObject | null): PublicKeyFacts {
  const details = key?.asymmetricKeyDetails;
  switch (key?.asymmetricKeyType) {
    case "ec": {
      const curve = details?.namedCurve ?? null;
      const type = (curve === null ? undefined : CURVE_TYPES[curve]) ?? curve ?? "EC";
      return { kind: "ec", curve, bits: curve === null ? null : (CURVE_BITS[curve] ?? null), type };
    }
    case "rsa":
    case "rsa-pss":
      // An exponent of 1 makes every message its own signature.
      if ((details?.publicExponent ?? 0n) < 3n) return OTHER_KEY;
      return {
        kind: "rsa",
        curve: null,
        bits: details?.modulusLength ?? null,
        type: rsaType(details?.modulusLength ?? 0),
      };
    case "ed25519":
      return { kind: "ed25519", curve: null, bits: 256, type: "Ed25519" };
    default:
      return OTHER_KEY;
  }
}

function rsaType(bits: number): string {
  return `RSA-${[4096, 3072, 2048].find((size) => bits >= size) ?? bits}`;
}

const OTHER_KEY: PublicKeyFacts = { kind: "other", curve: null, bits: null, type: "other" };
const CURVE_TYPES: Readonly<Record<string, string>> = {
  prime256v1: "P-256",
  secp384r1: "P-384",
  secp521r1: "P-521",
  secp224r1: "P-224",
};
const CURVE_BITS: Readonly<Record<string, number>> = {
  prime256v1: 256,
  secp384r1: 384,
  secp521r1: 521,
  secp224r1: 224,
};

/** A key OpenSSL cannot load (an unknown algorithm, a point off its curve) is no reason to call the certificate malformed. */
function publicKeyOf(certificate: OpenSslCertificate): KeyObject | null {
  try {
    return certificate.publicKey;
  } catch {
    return null;
  }
}

function signatureHashOf(parsed: X509Certificate): string | null {
  const algorithm = parsed.signatureAlgorithm;
  if (algorithm.name === "Ed25519" || algorithm.name === "EdDSA") return null;
  return algorithm.hash?.name ?? "unknown";
}

/** A day that does not exist, or a time in another zone, is read by each parser in its own way. */
function agreedDate(date: Date, openssl: Date): Date {
  if (Number.isNaN(date.getTime()) || date.getTime() !== openssl.getTime()) throw malformed();
  return date;
}

/** Storable and showable text: PostgreSQL refuses NUL and lone surrogates, and a terminal obeys control characters. */
function presentable(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is removed
  const clean = text.toWellFormed().replace(/[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g, "\ufffd");
  return clean.length <= CERTIFICATE_LIMITS.nameCharacters
    ? clean
    : `${clean.slice(0, CERTIFICATE_LIMITS.nameCharacters).toWellFormed()}…`;
}

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

function malformed(cause?: unknown): AppError {
  return new AppError("pki.malformed", "This is not a well-formed X.509 certificate.", { cause });
}

function tooLarge(): AppError {
  return new AppError("request.too_large", "A certificate may have at most 16 KiB.");
}

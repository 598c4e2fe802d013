import { constants, createPublicKey, generateKeyPairSync, type KeyObject, randomBytes, sign } from "node:crypto";
import {
  bigInteger,
  bits,
  element,
  explicit,
  extension,
  integer,
  NULL,
  objectIdentifier,
  sequence,
  setOf,
  time,
} from "#lib/pki/der-writer.ts";

/**
 * Certificates put together byte by byte: what no library consents to make. Whoever orders one vouches for nothing in it.
 */
export type Crafted = {
  readonly der: Buffer;
  readonly pem: string;
  readonly privateKeyPem: string;
};

/** An authority of crafted certificates. */
export type CraftedCa = Crafted & { readonly name: Buffer; readonly key: KeyObject };

export type Craft = {
  readonly key?: KeyObject;
  /** DER of the Name. Default: a common name, a random UUID. */
  readonly subject?: Buffer;
  readonly issuer?: Buffer;
  /** A whole INTEGER. */
  readonly serial?: Buffer;
  /** Both `Time`s. */
  readonly notBefore?: Buffer;
  readonly notAfter?: Buffer;
  /** Default: digital signature, client authentication; null: none at all. */
  readonly extensions?: readonly Buffer[] | null;
  /** As it is encoded: 2 is version 3; null leaves it out, which is version 1. */
  readonly version?: number | null;
  readonly signature?: SignatureKind;
};

export type SignatureKind = "SHA-1" | "MD5" | "SHA-256" | "SHA-384" | "SHA-512" | "PSS";

const DAY_MS = 86_400_000;
export const daysFromNow = (days: number): Buffer => time(new Date(Date.now() + days * DAY_MS));

/** A certificate of this authority. */
export function craft(ca: Pick<CraftedCa, "name" | "key">, order: Craft = {}): Crafted {
  const key = order.key ?? newEcKey("prime256v1");
  const algorithm = algorithmOf(ca.key, order.signature ?? "SHA-256");
  const version = order.version === undefined ? 2 : order.version;
  const extensions = order.extensions === undefined ? DEVICE : order.extensions;
  const signedPart = sequence(
    ...(version === null ? [] : [explicit(0, integer(version))]),
    order.serial ?? bigInteger(BigInt(`0x7f${randomBytes(8).toString("hex")}`)),
    algorithm.identifier,
    order.issuer ?? ca.name,
    sequence(order.notBefore ?? daysFromNow(-1), order.notAfter ?? daysFromNow(365)),
    order.subject ?? commonName(crypto.randomUUID()),
    createPublicKey(key).export({ type: "spki", format: "der" }),
    ...(extensions === null ? [] : [explicit(3, sequence(...extensions))]),
  );
  return wrapped(sequence(signedPart, algorithm.identifier, bits(algorithm.sign(signedPart))), key);
}

/** A self-signed authority. */
export function craftCa(commonNameText: string, order: Craft = {}): CraftedCa {
  const key = order.key ?? newEcKey("prime256v1");
  const name = commonName(commonNameText);
  return { ...craft({ name, key }, { extensions: AUTHORITY, ...order, key, subject: name }), name, key };
}

/** An authority below another one. */
export function craftBelow(above: CraftedCa, commonNameText: string, order: Craft = {}): CraftedCa {
  const key = order.key ?? newEcKey("prime256v1");
  const name = commonName(commonNameText);
  return { ...craft(above, { extensions: AUTHORITY, ...order, key, subject: name }), name, key };
}

/** These bytes as a certificate, whatever they are, with the key that a client would show for them. */
export function wrapped(der: Buffer, key: KeyObject | string): Crafted {
  const lines = der.toString("base64").match(/.{1,64}/g) ?? [];
  return {
    der,
    pem: `-----BEGIN CERTIFICATE-----\n${lines.join("\n")}\n-----END CERTIFICATE-----\n`,
    privateKeyPem: typeof key === "string" ? key : key.export({ type: "pkcs8", format: "pem" }).toString(),
  };
}

export const newEcKey = (namedCurve: string): KeyObject => generateKeyPairSync("ec", { namedCurve }).privateKey;
export const newRsaKey = (modulusLength: number): KeyObject => generateKeyPairSync("rsa", { modulusLength }).privateKey;

/** The encodings that a name's text may have. */
export const TEXT = {
  utf8: (text: string) => element(0x0c, Buffer.from(text)),
  printable: (text: string) => element(0x13, Buffer.from(text, "latin1")),
  t61: (text: string) => element(0x14, Buffer.from(text, "latin1")),
  ia5: (text: string) => element(0x16, Buffer.from(text, "latin1")),
  bmp: (text: string) => element(0x1e, Buffer.from(text, "utf16le").swap16()),
  universal: (text: string) => element(0x1c, Buffer.concat([...text].map((c) => word(c.codePointAt(0) ?? 0)))),
} as const;

function word(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

export const CN = "2.5.4.3";

/** A Name of one attribute a line. */
export const nameOf = (...attributes: readonly (readonly [string, Buffer])[]): Buffer =>
  sequence(...attributes.map(([type, text]) => setOf(sequence(objectIdentifier(type), text))));
export const commonName = (text: string): Buffer => nameOf([CN, TEXT.utf8(text)]);

/** Extensions. Bits of a key usage count from the left, as in RFC 5280 section 4.2.1.3. */
export const keyUsage = (bitsFromLeft: number): Buffer =>
  extension("2.5.29.15", element(0x03, Buffer.from([0, bitsFromLeft])), true);
export const basicConstraints = (isCa: boolean, ...pathLength: readonly number[]): Buffer =>
  extension(
    "2.5.29.19",
    sequence(...(isCa ? [element(0x01, Buffer.from([0xff]))] : []), ...pathLength.map(integer)),
    true,
  );
export const extendedKeyUsage = (...usages: readonly string[]): Buffer =>
  extension("2.5.29.37", sequence(...usages.map(objectIdentifier)));
export const alternativeName = (tag: number, text: string): Buffer =>
  extension("2.5.29.17", sequence(element(0x80 | tag, Buffer.from(text, "latin1"))));

export const USAGE = { digitalSignature: 0x80, keyEncipherment: 0x20, keyCertSign: 0x04, cRLSign: 0x02 } as const;
export const CLIENT_AUTH = "1.3.6.1.5.5.7.3.2";
export const DEVICE: readonly Buffer[] = [keyUsage(USAGE.digitalSignature), extendedKeyUsage(CLIENT_AUTH)];
export const AUTHORITY: readonly Buffer[] = [basicConstraints(true), keyUsage(USAGE.keyCertSign | USAGE.cRLSign)];

type Algorithm = { readonly identifier: Buffer; sign(bytes: Buffer): Buffer };

function algorithmOf(key: KeyObject, kind: SignatureKind): Algorithm {
  const type = key.asymmetricKeyType ?? "";
  if (type === "ed25519" || type === "ed448") {
    const oid = type === "ed25519" ? "1.3.101.112" : "1.3.101.113";
    return { identifier: sequence(objectIdentifier(oid)), sign: (bytes) => sign(null, bytes, key) };
  }
  if (kind === "PSS") {
    const padding = constants.RSA_PKCS1_PSS_PADDING;
    return { identifier: PSS_SHA256, sign: (bytes) => sign("sha256", bytes, { key, padding, saltLength: 32 }) };
  }
  const oid = OIDS[type]?.[kind];
  if (oid === undefined) throw new Error(`no signature ${kind} by a key of kind ${type}`);
  const rest = type === "rsa" ? [NULL] : [];
  const hash = kind.replace("-", "").toLowerCase();
  return { identifier: sequence(objectIdentifier(oid), ...rest), sign: (bytes) => sign(hash, bytes, key) };
}

const OIDS: Readonly<Record<string, Partial<Record<SignatureKind, string>>>> = {
  ec: {
    "SHA-1": "1.2.840.10045.4.1",
    "SHA-256": "1.2.840.10045.4.3.2",
    "SHA-384": "1.2.840.10045.4.3.3",
    "SHA-512": "1.2.840.10045.4.3.4",
  },
  rsa: {
    MD5: "1.2.840.113549.1.1.4",
    "SHA-1": "1.2.840.113549.1.1.5",
    "SHA-256": "1.2.840.113549.1.1.11",
    "SHA-384": "1.2.840.113549.1.1.12",
    "SHA-512": "1.2.840.113549.1.1.13",
  },
};

const SHA256 = sequence(objectIdentifier("2.16.840.1.101.3.4.2.1"), NULL);
const PSS_SHA256 = sequence(
  objectIdentifier("1.2.840.113549.1.1.10"),
  sequence(
    explicit(0, SHA256),
    explicit(1, sequence(objectIdentifier("1.2.840.113549.1.1.8"), SHA256)),
    explicit(2, integer(32)),
  ),
);

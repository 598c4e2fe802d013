import "reflect-metadata";
import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, randomBytes } from "node:crypto";
import {
  BasicConstraintsExtension,
  ExtendedKeyUsageExtension,
  Extension,
  KeyUsageFlags,
  KeyUsagesExtension,
  X509CertificateGenerator,
} from "@peculiar/x509";
import { type CertificateFacts, certificatePem, type KeyUsage, parseCertificate } from "#lib/pki/certificates.ts";

/**
 * A certificate authority that does what it is told, right or wrong: the outside CA and the attacker of the tests.
 * It shares no code with `lib/pki/issue.ts`, which would otherwise be checked against itself.
 */
export type SoftwareCa = {
  readonly certificate: CertificateFacts;
  readonly pem: string;
  readonly privateKeyPem: string;
  issue(options?: LeafOptions): Promise<SoftwareLeaf>;
};

export type SoftwareLeaf = {
  readonly certificate: CertificateFacts;
  readonly pem: string;
  readonly privateKeyPem: string;
};

export type KeyKind = "p256" | "p384" | "p521" | "p224" | "secp256k1" | "rsa1024" | "rsa2048" | "ed25519";

type CommonOptions = {
  readonly key?: KeyKind;
  readonly notBefore?: Date;
  readonly notAfter?: Date;
  readonly serialHex?: string;
  readonly keyUsage?: readonly KeyUsage[];
  readonly isCa?: boolean;
};

export type LeafOptions = CommonOptions & {
  /** The subject, one common name or several. Default: a random UUID as the only common name. */
  readonly commonNames?: readonly string[];
  readonly extendedKeyUsage?: readonly string[];
  /** OIDs; the value is a DER NULL. */
  readonly criticalExtensions?: readonly string[];
  readonly hash?: "SHA-1" | "SHA-256" | "SHA-384" | "SHA-512";
  /** Use this key instead of a new one (renewal, or somebody else's key). */
  readonly privateKeyPem?: string;
};

export type CaOptions = CommonOptions & {
  readonly commonName?: string;
  readonly privateKeyPem?: string;
};

const DAY_MS = 86_400_000;

/** Makes a self-signed CA. */
export async function createSoftwareCa(options: CaOptions = {}): Promise<SoftwareCa> {
  const key = options.privateKeyPem ? createPrivateKey(options.privateKeyPem) : newKey(options.key ?? "p256");
  const name = [{ CN: [options.commonName ?? "Outside fleet CA"] }];
  const made = await make({
    subject: name,
    issuer: name,
    subjectKey: key,
    signingKey: key,
    options: { keyUsage: ["keyCertSign", "cRLSign"], isCa: true, ...options },
  });
  return {
    ...made,
    issue: (leaf = {}) => {
      const subjectKey = leaf.privateKeyPem ? createPrivateKey(leaf.privateKeyPem) : newKey(leaf.key ?? "p256");
      const commonNames = [...(leaf.commonNames ?? [crypto.randomUUID()])];
      const subject = commonNames.map((commonName) => ({ CN: [commonName] }));
      return make({ subject, issuer: name, subjectKey, signingKey: key, options: leaf });
    },
  };
}

type Order = {
  subject: { CN: string[] }[];
  issuer: { CN: string[] }[];
  subjectKey: KeyObject;
  signingKey: KeyObject;
  options: LeafOptions;
};

async function make(order: Order): Promise<SoftwareLeaf> {
  const { options } = order;
  const now = Date.now();
  const hash = options.hash ?? "SHA-256";
  const made = await X509CertificateGenerator.create({
    serialNumber: options.serialHex ?? randomBytes(8).toString("hex"),
    subject: order.subject,
    issuer: order.issuer,
    notBefore: options.notBefore ?? new Date(now - DAY_MS),
    notAfter: options.notAfter ?? new Date(now + 365 * DAY_MS),
    publicKey: spkiOf(order.subjectKey),
    signingKey: await webKey(order.signingKey, hash),
    signingAlgorithm: { name: "ECDSA", hash },
    extensions: extensionsOf(options),
  });
  const certificate = parseCertificate(Buffer.from(made.rawData));
  const privateKeyPem = order.subjectKey.export({ type: "pkcs8", format: "pem" }).toString();
  return { certificate, pem: certificatePem(certificate), privateKeyPem };
}

/** No extension that was not asked for: like aktualizr-cert-provider. */
function extensionsOf(options: LeafOptions): Extension[] {
  const extensions: Extension[] = [];
  if (options.isCa !== undefined) extensions.push(new BasicConstraintsExtension(options.isCa, undefined, true));
  if (options.keyUsage) {
    const flags = options.keyUsage.reduce((sum, usage) => sum | KeyUsageFlags[usage], 0);
    extensions.push(new KeyUsagesExtension(flags, true));
  }
  if (options.extendedKeyUsage) extensions.push(new ExtendedKeyUsageExtension([...options.extendedKeyUsage]));
  for (const oid of options.criticalExtensions ?? []) {
    extensions.push(new Extension(oid, true, new Uint8Array([5, 0])));
  }
  return extensions;
}

const CURVES = {
  p256: "prime256v1",
  p384: "secp384r1",
  p521: "secp521r1",
  p224: "secp224r1",
  secp256k1: "secp256k1",
} as const;

function newKey(kind: KeyKind): KeyObject {
  if (kind === "ed25519") return generateKeyPairSync("ed25519").privateKey;
  if (kind === "rsa1024") return generateKeyPairSync("rsa", { modulusLength: 1024 }).privateKey;
  if (kind === "rsa2048") return generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey;
  return generateKeyPairSync("ec", { namedCurve: CURVES[kind] }).privateKey;
}

const WEB_CURVES: Readonly<Record<string, string>> = { prime256v1: "P-256", secp384r1: "P-384", secp521r1: "P-521" };

function webKey(key: KeyObject, hash: string): Promise<CryptoKey> {
  const pkcs8 = new Uint8Array(key.export({ type: "pkcs8", format: "der" }));
  const namedCurve = WEB_CURVES[key.asymmetricKeyDetails?.namedCurve ?? ""] ?? "";
  const algorithms = {
    ed25519: { name: "Ed25519" },
    rsa: { name: "RSASSA-PKCS1-v1_5", hash },
    ec: { name: "ECDSA", namedCurve },
  };
  const algorithm =
    algorithms[key.asymmetricKeyType === "rsa" || key.asymmetricKeyType === "ec" ? key.asymmetricKeyType : "ed25519"];
  return crypto.subtle.importKey("pkcs8", pkcs8, algorithm, false, ["sign"]);
}

function spkiOf(privateKey: KeyObject): Uint8Array<ArrayBuffer> {
  // A private KeyObject exports no SPKI by itself.
  return new Uint8Array(createPublicKey(privateKey).export({ type: "spki", format: "der" }));
}

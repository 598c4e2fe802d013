import {
  constants,
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  generateKeyPair as generateRsa,
  type KeyObject,
  sign,
} from "node:crypto";
import { AppError } from "#lib/errors/app-error.ts";
import { isJsonObject, type Json } from "#lib/uptane/json.ts";

export type KeyType = "ED25519" | "RSA";
export type SignatureMethod = "ed25519" | "rsassa-pss" | "rsassa-pss-sha256";

/** A public key as it stands in metadata; `public` is 64 hex digits (either case, as given) or an SPKI PEM. */
export type TufKey = { readonly keytype: KeyType; readonly keyval: { readonly public: string } };

/** The only way to a private key outside key storage. `sign` answers standard base64. */
export type Signer = {
  readonly keyId: string;
  readonly publicKey: TufKey;
  readonly method: SignatureMethod;
  sign(bytes: Uint8Array): string;
};

/**
 * Reads a public key, whatever the case of its type and hex digits.
 *
 * @throws AppError `uptane.key_type_unsupported` (any other type; devices then refuse the whole document) |
 *   `uptane.malformed` (bad hex, not an SPKI PEM, RSA of a size or exponent devices do not use)
 * @see contracts/aktualizr-client.md section 5, "Keys"
 */
export function parseTufKey(value: Json): TufKey {
  if (!isJsonObject(value) || !isJsonObject(value.keyval)) throw malformed("a key is not an object");
  const publicText = value.keyval.public;
  if (typeof value.keytype !== "string" || typeof publicText !== "string") throw malformed("a key lacks its fields");
  const keytype = value.keytype.toUpperCase();
  if (keytype !== "ED25519" && keytype !== "RSA") {
    throw new AppError("uptane.key_type_unsupported", "Only ED25519 and RSA keys are supported.", {
      context: { keytype: keytype.slice(0, 40) },
    });
  }
  const key: TufKey = { keytype, keyval: { public: publicText } };
  publicKeyObject(key);
  return key;
}

/**
 * The key id of repositories: lower-case hex SHA-256 of the DER SubjectPublicKeyInfo.
 *
 * @throws AppError `uptane.malformed`
 * @see contracts/uptane-metadata.md section 3
 */
export function serverKeyId(key: TufKey): string {
  return sha256Hex(publicKeyObject(key).export({ format: "der", type: "spki" }));
}

/**
 * The key id a device gives its own ECU key, by default also the primary's serial: SHA-256 of the JSON string literal of
 * the public value without trailing line breaks. It depends on the case of hex digits; devices use upper case.
 *
 * @see contracts/aktualizr-client.md section 2, "ECU keys and serials"
 */
export function deviceKeyId(key: TufKey): string {
  return sha256Hex(Buffer.from(JSON.stringify(key.keyval.public.replace(/\n+$/, "")), "utf8"));
}

/** True when both name the same key, however it is written. @throws AppError `uptane.malformed` */
export function isSameKey(left: TufKey, right: TufKey): boolean {
  return left.keytype === right.keytype && serverKeyId(left) === serverKeyId(right);
}

/** A private key is written in the keyserver's form: `seed || public` as 128 hex digits, or a PKCS#1 PEM. */
export type KeyPair = { readonly publicKey: TufKey; readonly privateKey: string };

/** Makes a key pair from the system's random source: Ed25519, or RSA of 2048 bits. @see contracts/uptane-metadata.md section 3 */
export function generateKeyPair(keytype: KeyType): KeyPair {
  if (keytype === "ED25519") {
    const { privateKey } = generateKeyPairSync("ed25519");
    return ed25519Pair(privateKey);
  }
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  return rsaPair(privateKey);
}

/** RSA of 2048 bits, made beside the event loop: it takes up to a second. */
export function generateRsaKeyPair(): Promise<KeyPair> {
  return new Promise((resolve, reject) => {
    generateRsa("rsa", { modulusLength: 2048 }, (error, _publicKey, privateKey) =>
      error === null ? resolve(rsaPair(privateKey)) : reject(error),
    );
  });
}

/** The Ed25519 pair of a 32-byte seed. @throws AppError `uptane.malformed` */
export function keyPairFromSeed(seed: Uint8Array): KeyPair {
  return ed25519Pair(ed25519PrivateKey(seed));
}

/**
 * Opens a stored private key for signing. The key object lives inside the signer and cannot be read back out of it.
 *
 * @param privateText for ED25519 the seed as hex, with or without the public part after it (as garage-sign writes it and
 *   as it accepts); for RSA a PKCS#1 PEM
 * @throws AppError `uptane.malformed`, also when the public part does not belong to the seed
 * @see contracts/uptane-metadata.md section 3 and 3.1
 */
export function signerFromPrivate(keytype: KeyType, privateText: string): Signer {
  return keytype === "ED25519" ? ed25519Signer(privateText) : rsaSigner(privateText);
}

/** The same key as an ECU uses it: device key id, upper-case hex, and `rsassa-pss` as RSA's method. */
export function asDeviceSigner(signer: Signer): Signer {
  const { keytype, keyval } = signer.publicKey;
  const publicKey: TufKey = {
    keytype,
    keyval: { public: keytype === "ED25519" ? keyval.public.toUpperCase() : keyval.public },
  };
  return {
    keyId: deviceKeyId(publicKey),
    publicKey,
    method: keytype === "ED25519" ? "ed25519" : "rsassa-pss",
    sign: (bytes) => signer.sign(bytes),
  };
}

/**
 * The key as Node's crypto wants it.
 *
 * @throws AppError `uptane.malformed`
 */
export function publicKeyObject(key: TufKey): KeyObject {
  return key.keytype === "ED25519" ? ed25519PublicKey(key.keyval.public) : rsaPublicKeyObject(key.keyval.public);
}

/** DER up to the raw key bytes of RFC 8410 SubjectPublicKeyInfo and PrivateKeyInfo. */
const ED25519_SPKI_PREFIX = Buffer.from("302a300506032b6570032100", "hex");
const ED25519_PKCS8_PREFIX = Buffer.from("302e020100300506032b657004220420", "hex");
const RSA_BITS: readonly (number | undefined)[] = [2048, 3072, 4096];
const MAX_PEM_LENGTH = 4096;
const PUBLIC_PEM = /^\s*-----BEGIN PUBLIC KEY-----\r?\n[A-Za-z0-9+/=\r\n]+-----END PUBLIC KEY-----\s*$/;

function ed25519PublicKey(hex: string): KeyObject {
  if (!/^[0-9a-fA-F]{64}$/.test(hex)) throw malformed("an ED25519 public key is not 64 hex digits");
  const der = Buffer.concat([ED25519_SPKI_PREFIX, Buffer.from(hex, "hex")]);
  return createPublicKey({ key: der, format: "der", type: "spki" });
}

function rsaPublicKeyObject(pem: string): KeyObject {
  if (pem.length > MAX_PEM_LENGTH || !PUBLIC_PEM.test(pem))
    throw malformed("an RSA public key is not a PEM public key");
  let key: KeyObject;
  try {
    key = createPublicKey({ key: pem, format: "pem" });
  } catch (cause) {
    throw malformed("an RSA public key cannot be read", cause);
  }
  assertUsableRsa(key);
  return key;
}

/** A huge exponent makes verification slow and an exponent of 1 makes signatures forgeable. */
function assertUsableRsa(key: KeyObject): void {
  const details = key.asymmetricKeyDetails;
  const exponent = details?.publicExponent ?? 0n;
  if (key.asymmetricKeyType !== "rsa" || !RSA_BITS.includes(details?.modulusLength)) {
    throw malformed("an RSA key must have 2048, 3072 or 4096 bits");
  }
  if (exponent < 3n || exponent > 0xffff_ffffn || exponent % 2n === 0n)
    throw malformed("an RSA exponent is not usable");
}

function ed25519PrivateKey(seed: Uint8Array): KeyObject {
  if (seed.byteLength !== 32) throw malformed("an ED25519 seed has 32 bytes");
  return createPrivateKey({ key: Buffer.concat([ED25519_PKCS8_PREFIX, seed]), format: "der", type: "pkcs8" });
}

function ed25519Pair(privateKey: KeyObject): KeyPair {
  const seed = privateKey.export({ format: "der", type: "pkcs8" }).subarray(ED25519_PKCS8_PREFIX.length);
  const publicHex = ed25519PublicHex(privateKey);
  return {
    publicKey: { keytype: "ED25519", keyval: { public: publicHex } },
    privateKey: seed.toString("hex") + publicHex,
  };
}

function ed25519PublicHex(privateKey: KeyObject): string {
  const spki = createPublicKey(privateKey).export({ format: "der", type: "spki" });
  return spki.subarray(ED25519_SPKI_PREFIX.length).toString("hex");
}

function rsaPair(privateKey: KeyObject): KeyPair {
  const pem = privateKey.export({ format: "pem", type: "pkcs1" }).toString();
  return { publicKey: rsaPublicKey(privateKey), privateKey: pem };
}

function rsaPublicKey(privateKey: KeyObject): TufKey {
  const pem = createPublicKey(privateKey).export({ format: "pem", type: "spki" }).toString();
  return { keytype: "RSA", keyval: { public: pem } };
}

function ed25519Signer(privateText: string): Signer {
  if (!/^(?:[0-9a-fA-F]{64}){1,2}$/.test(privateText))
    throw malformed("an ED25519 private key is not 64 or 128 hex digits");
  const key = ed25519PrivateKey(Buffer.from(privateText.slice(0, 64), "hex"));
  const publicHex = ed25519PublicHex(key);
  const stated = privateText.slice(64).toLowerCase();
  // Signing with one seed under another key's name would make metadata that no device accepts.
  if (stated !== "" && stated !== publicHex) throw malformed("an ED25519 private key has another key's public part");
  const publicKey: TufKey = { keytype: "ED25519", keyval: { public: publicHex } };
  return {
    keyId: serverKeyId(publicKey),
    publicKey,
    method: "ed25519",
    sign: (bytes) => sign(null, bytes, key).toString("base64"),
  };
}

function rsaSigner(privateText: string): Signer {
  if (!privateText.startsWith("-----BEGIN RSA PRIVATE KEY-----"))
    throw malformed("an RSA private key is not a PKCS#1 PEM");
  let key: KeyObject;
  try {
    key = createPrivateKey({ key: privateText, format: "pem", type: "pkcs1" });
  } catch (cause) {
    throw malformed("an RSA private key cannot be read", cause);
  }
  assertUsableRsa(createPublicKey(key));
  const publicKey = rsaPublicKey(key);
  const padding = { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 };
  return {
    keyId: serverKeyId(publicKey),
    publicKey,
    method: "rsassa-pss-sha256",
    sign: (bytes) => sign("sha256", bytes, { key, ...padding }).toString("base64"),
  };
}

function sha256Hex(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

function malformed(why: string, cause?: unknown): AppError {
  return new AppError("uptane.malformed", `The key cannot be used: ${why}.`, { cause });
}

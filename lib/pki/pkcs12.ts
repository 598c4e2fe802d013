import { createHash, createHmac, createPrivateKey, type KeyObject, randomBytes, X509Certificate } from "node:crypto";
import { AppError } from "#lib/errors/app-error.ts";
import type { CertificateFacts } from "#lib/pki/certificates.ts";
import { explicit, integer, NULL, objectIdentifier, octets, sequence, setOf } from "#lib/pki/der-writer.ts";

/**
 * Puts a key, its certificate and certificates of authorities into one PKCS#12 file.
 *
 * Without a password the key stands in it as it is: encryption under a password that everybody knows protects nothing, and
 * every reader takes it, old OpenSSL and hardened builds included. With one it is encrypted by PBES2 (AES-256). The MAC is
 * HMAC-SHA-256 and covers everything; the empty password is the two zero bytes that the standard makes of it, which readers
 * try beside the other custom, no bytes at all.
 *
 * @param authorities what the reader is to trust or to send along; the client of a device takes the servers' CA from here
 * @returns DER
 * @throws AppError `pki.malformed` (not a private key) | `pki.key_mismatch` (the key is not the certificate's)
 * @see RFC 7292 sections 4 and 5, appendix B; contracts/aktualizr-client.md section 2b
 */
export function makePkcs12(contents: {
  privateKeyPem: string;
  certificate: CertificateFacts;
  authorities: readonly CertificateFacts[];
  password: string;
}): Buffer {
  const { certificate, password } = contents;
  const key = readKey(contents.privateKeyPem);
  if (!new X509Certificate(certificate.der).checkPrivateKey(key)) {
    throw new AppError("pki.key_mismatch", "The private key does not belong to the certificate.");
  }
  const attributes = setOf(localKeyId(certificate));
  const certificates = sequence(
    certificateBag(certificate.der, attributes),
    ...contents.authorities.map(({ der }) => certificateBag(der)),
  );
  const safe = sequence(dataContent(certificates), dataContent(sequence(keyBag(key, password, attributes))));
  return sequence(integer(3), dataContent(safe), macData(safe, password));
}

const PKCS7_DATA = objectIdentifier("1.2.840.113549.1.7.1");
const KEY_BAG = objectIdentifier("1.2.840.113549.1.12.10.1.1");
const SHROUDED_KEY_BAG = objectIdentifier("1.2.840.113549.1.12.10.1.2");
const CERTIFICATE_BAG = objectIdentifier("1.2.840.113549.1.12.10.1.3");
const X509_CERTIFICATE = objectIdentifier("1.2.840.113549.1.9.22.1");
const LOCAL_KEY_ID = objectIdentifier("1.2.840.113549.1.9.21");
const SHA256 = objectIdentifier("2.16.840.1.101.3.4.2.1");

const MAC_ITERATIONS = 2_048;
const MAC_KEY_PURPOSE = 3;
/** Of SHA-256. */
const BLOCK_BYTES = 64;

function readKey(privateKeyPem: string): KeyObject {
  try {
    return createPrivateKey(privateKeyPem);
  } catch (cause) {
    throw new AppError("pki.malformed", "This is not a private key in PEM form.", { cause });
  }
}

function dataContent(bytes: Buffer): Buffer {
  return sequence(PKCS7_DATA, explicit(0, octets(bytes)));
}

function certificateBag(der: Uint8Array, ...attributes: readonly Buffer[]): Buffer {
  return sequence(CERTIFICATE_BAG, explicit(0, sequence(X509_CERTIFICATE, explicit(0, octets(der)))), ...attributes);
}

function keyBag(key: KeyObject, password: string, attributes: Buffer): Buffer {
  if (password === "") return sequence(KEY_BAG, explicit(0, key.export({ type: "pkcs8", format: "der" })), attributes);
  const encrypted = key.export({ type: "pkcs8", format: "der", cipher: "aes-256-cbc", passphrase: password });
  return sequence(SHROUDED_KEY_BAG, explicit(0, encrypted), attributes);
}

/** The same value on the key and on its certificate ties them together. */
function localKeyId(certificate: CertificateFacts): Buffer {
  return sequence(LOCAL_KEY_ID, setOf(octets(Buffer.from(certificate.fingerprint, "hex").subarray(0, 20))));
}

function macData(safe: Buffer, password: string): Buffer {
  const salt = randomBytes(16);
  const digest = createHmac("sha256", macKey(password, salt)).update(safe).digest();
  return sequence(sequence(sequence(SHA256, NULL), octets(digest)), octets(salt), integer(MAC_ITERATIONS));
}

/** RFC 7292 appendix B.2 for a key as long as the hash, which needs its first round only. */
function macKey(password: string, salt: Buffer): Buffer {
  const text = Buffer.from(`${password}\0`, "utf16le").swap16();
  let key = createHash("sha256")
    .update(Buffer.alloc(BLOCK_BYTES, MAC_KEY_PURPOSE))
    .update(repeated(salt))
    .update(repeated(text))
    .digest();
  for (let round = 1; round < MAC_ITERATIONS; round++) key = createHash("sha256").update(key).digest();
  return key;
}

/** Repeated up to whole blocks. */
function repeated(bytes: Buffer): Buffer {
  return Buffer.alloc(Math.ceil(bytes.length / BLOCK_BYTES) * BLOCK_BYTES, bytes);
}

import { AppError } from "#lib/errors/app-error.ts";
import { type DerValue, derValue, derValues, dotted, extensionsOf } from "#lib/pki/der.ts";

/** Which certificate somebody asks about, by its issuer's name and key. */
export type CertificateId = {
  /** The CertID exactly as it was asked: it is echoed. */
  readonly der: Buffer;
  readonly hash: "sha1" | "sha256" | "sha384" | "sha512" | "unknown";
  readonly issuerNameHash: Buffer;
  readonly issuerKeyHash: Buffer;
  /** Hex without leading zeros, `-` in front of a negative one: as `plainSerial` makes it. */
  readonly serial: string;
};

export type OcspRequest = { readonly asked: readonly CertificateId[]; readonly nonce: Buffer | null };

export const OCSP_LIMITS = { requestBytes: 10 * 1024, certificates: 20, nonceBytes: 32, serialBytes: 64 } as const;

const NONCE = "1.3.6.1.5.5.7.48.1.2";

/**
 * Reads an OCSP request. The input is untrusted: bounded in size, count and depth; a signature on it is not looked at.
 *
 * @throws AppError `pki.malformed` | `request.too_large`
 * @see RFC 6960 section 4.1, RFC 8954 section 2.1 (the nonce has 1 to 32 bytes)
 */
export function parseOcspRequest(bytes: Buffer): OcspRequest {
  if (bytes.length > OCSP_LIMITS.requestBytes) {
    throw new AppError("request.too_large", "An OCSP request may have at most 10 KiB.");
  }
  const [signedPart] = derValues(constructed(derValue(bytes)));
  const members = derValues(constructed(signedPart));
  const list = members.find(({ tag }) => tag === 0x30);
  const asked = derValues(constructed(list));
  if (asked.length === 0 || asked.length > OCSP_LIMITS.certificates) throw malformed();
  return { asked: asked.map((request) => readId(derValues(constructed(request))[0])), nonce: readNonce(members) };
}

function readId(id: DerValue | undefined): CertificateId {
  const [algorithm, name, key, serial, ...rest] = derValues(constructed(id));
  const [hash] = derValues(constructed(algorithm));
  if (id === undefined || hash?.tag !== 0x06 || name?.tag !== 0x04 || key?.tag !== 0x04) throw malformed();
  if (serial?.tag !== 0x02 || serial.content.length > OCSP_LIMITS.serialBytes || rest.length > 0) throw malformed();
  return {
    der: id.raw,
    hash: HASHES[dotted(hash.content)] ?? "unknown",
    issuerNameHash: name.content,
    issuerKeyHash: key.content,
    serial: serialOf(serial.content),
  };
}

function serialOf(content: Buffer): string {
  if (content.length === 0) throw malformed();
  return BigInt.asIntN(content.length * 8, BigInt(`0x${content.toString("hex")}`)).toString(16);
}

function readNonce(members: readonly DerValue[]): Buffer | null {
  const extensions = members.find(({ tag }) => tag === 0xa2);
  if (extensions === undefined) return null;
  const nonce = extensionsOf(derValues(extensions.content)[0]).get(NONCE);
  if (nonce === undefined) return null;
  const { tag, content } = derValue(nonce);
  if (tag !== 0x04 || content.length === 0 || content.length > OCSP_LIMITS.nonceBytes) throw malformed();
  return content;
}

function constructed(value: DerValue | undefined): Buffer {
  if (value?.tag !== 0x30) throw malformed();
  return value.content;
}

function malformed(): AppError {
  return new AppError("pki.malformed", "This is not an OCSP request.");
}

const HASHES: Readonly<Record<string, CertificateId["hash"]>> = {
  "1.3.14.3.2.26": "sha1",
  "2.16.840.1.101.3.4.2.1": "sha256",
  "2.16.840.1.101.3.4.2.2": "sha384",
  "2.16.840.1.101.3.4.2.3": "sha512",
};

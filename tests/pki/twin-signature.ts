import { signedPartOf } from "#lib/pki/der.ts";

const P256_ORDER = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;

/**
 * The same certificate with the other valid ECDSA signature: `(r, n - s)` verifies wherever `(r, s)` does. Anybody can
 * make it, without any key. P-256 issuers only.
 */
export function withTwinSignature(certificateDer: Buffer): Buffer {
  const signed = signedPartOf(certificateDer);
  const start = certificateDer.indexOf(signed) + signed.length;
  const algorithmEnd = start + 2 + (certificateDer[start + 1] ?? 0);
  const algorithm = certificateDer.subarray(start, algorithmEnd);
  // BIT STRING, length, no unused bits, SEQUENCE, length, then r and s.
  const rStart = algorithmEnd + 5;
  const r = readInteger(certificateDer, rStart);
  const s = readInteger(certificateDer, r.end);
  const signature = element(0x30, Buffer.concat([integer(r.value), integer(P256_ORDER - s.value)]));
  const bitString = element(0x03, Buffer.concat([Buffer.from([0]), signature]));
  return element(0x30, Buffer.concat([signed, algorithm, bitString]));
}

function readInteger(bytes: Buffer, offset: number): { value: bigint; end: number } {
  const end = offset + 2 + (bytes[offset + 1] ?? 0);
  return { value: BigInt(`0x${bytes.subarray(offset + 2, end).toString("hex")}`), end };
}

function integer(value: bigint): Buffer {
  const hex = value.toString(16);
  const bytes = Buffer.from(hex.padStart(hex.length + (hex.length % 2), "0"), "hex");
  return element(0x02, (bytes[0] ?? 0) > 0x7f ? Buffer.concat([Buffer.from([0]), bytes]) : bytes);
}

function element(tag: number, content: Buffer): Buffer {
  if (content.length < 0x80) return Buffer.concat([Buffer.from([tag, content.length]), content]);
  const length = content.length.toString(16);
  const lengthBytes = Buffer.from(length.padStart(length.length + (length.length % 2), "0"), "hex");
  return Buffer.concat([Buffer.from([tag, 0x80 | lengthBytes.length]), lengthBytes, content]);
}

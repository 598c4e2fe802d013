/** An element in DER: identifier, shortest definite length, content. The caller vouches for the content. */
export function element(tag: number, ...content: readonly Uint8Array[]): Buffer {
  const body = Buffer.concat(content);
  return Buffer.concat([Buffer.from([tag]), lengthOf(body.length), body]);
}

export const sequence = (...members: readonly Uint8Array[]): Buffer => element(0x30, ...members);
export const octets = (bytes: Uint8Array): Buffer => element(0x04, bytes);
export const NULL: Buffer = element(0x05);

/** SET OF: DER wants its members in the order of their encodings. */
export const setOf = (...members: readonly Uint8Array[]): Buffer => element(0x31, ...[...members].sort(Buffer.compare));

/** `[number] EXPLICIT`, for numbers below 31. */
export const explicit = (number: number, member: Uint8Array): Buffer => element(0xa0 | number, member);

/** A non-negative INTEGER of at most 31 bits. */
export function integer(value: number): Buffer {
  const bytes = Buffer.alloc(5);
  bytes.writeUInt32BE(value, 1);
  let start = 0;
  while (start < 4 && bytes[start] === 0 && (bytes[start + 1] ?? 0) < 0x80) start += 1;
  return element(0x02, bytes.subarray(start));
}

/** An INTEGER of any size and sign. */
export function bigInteger(value: bigint): Buffer {
  const magnitude = value < 0n ? -value - 1n : value;
  const hex = magnitude.toString(16);
  const bytes = Buffer.from(hex.padStart(hex.length + (hex.length % 2), "0"), "hex");
  const padded = (bytes[0] ?? 0) >= 0x80 ? Buffer.concat([Buffer.alloc(1), bytes]) : bytes;
  return element(0x02, value < 0n ? padded.map((byte) => ~byte & 0xff) : padded);
}

export const enumerated = (value: number): Buffer => element(0x0a, Buffer.from([value]));

/** A BIT STRING of whole bytes. */
export const bits = (bytes: Uint8Array): Buffer => element(0x03, Buffer.alloc(1), bytes);

/** GeneralizedTime to the second, UTC. */
export const generalizedTime = (at: Date): Buffer => element(0x18, Buffer.from(`${compactTime(at)}Z`));

/** UTCTime until 2049, GeneralizedTime from 2050: what RFC 5280 sections 4.1.2.5 and 5.1.2.4 want of `Time`. */
export function time(at: Date): Buffer {
  if (at.getUTCFullYear() >= 2050) return generalizedTime(at);
  return element(0x17, Buffer.from(`${compactTime(at).slice(2)}Z`));
}

function compactTime(at: Date): string {
  return at.toISOString().slice(0, 19).replace(/[-:T]/g, "");
}

/** An Extension of X.509, CRLs and OCSP: `value` is the DER within its OCTET STRING. */
export function extension(oid: string, value: Uint8Array, critical = false): Buffer {
  const flag = critical ? [element(0x01, Buffer.from([0xff]))] : [];
  return sequence(objectIdentifier(oid), ...flag, octets(value));
}

/** An OBJECT IDENTIFIER in its dotted form. */
export function objectIdentifier(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split(".").map(Number);
  return element(0x06, ...[first * 40 + second, ...rest].map(base128));
}

function base128(value: number): Buffer {
  const digits = [value % 128];
  for (let left = Math.floor(value / 128); left > 0; left = Math.floor(left / 128)) digits.unshift((left % 128) | 0x80);
  return Buffer.from(digits);
}

function lengthOf(length: number): Buffer {
  if (length < 0x80) return Buffer.from([length]);
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(length);
  const significant = bytes.subarray(bytes.findIndex((byte) => byte !== 0));
  return Buffer.concat([Buffer.from([0x80 | significant.length]), significant]);
}

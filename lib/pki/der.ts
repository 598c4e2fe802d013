import { AppError } from "#lib/errors/app-error.ts";

/**
 * The exact bytes a certificate's signature covers: the first element of the outer SEQUENCE, header included.
 *
 * Taken from the given bytes and never re-encoded, so that its hash is the identity of what the CA signed.
 *
 * @param certificateDer a complete DER certificate
 * @throws AppError `pki.malformed`
 * @see RFC 5280 section 4.1
 */
export function signedPartOf(certificateDer: Buffer): Buffer {
  const outer = readElement(certificateDer, 0);
  if (outer.tag !== SEQUENCE || outer.end !== certificateDer.length) throw malformed();
  const inner = readElement(certificateDer, outer.contentStart);
  if (inner.tag !== SEQUENCE || inner.end > outer.end) throw malformed();
  return certificateDer.subarray(outer.contentStart, inner.end);
}

const SEQUENCE = 0x30;

type DerElement = { readonly tag: number; readonly contentStart: number; readonly end: number };

/** A complete element together with its bytes. */
export type DerValue = { readonly tag: number; readonly content: Buffer; readonly raw: Buffer };

/**
 * Takes bytes that are one element, whole, apart.
 *
 * @throws AppError `pki.malformed`
 */
export function derValue(bytes: Buffer): DerValue {
  const [value, ...rest] = derValues(bytes);
  if (value === undefined || rest.length > 0) throw malformed();
  return value;
}

/**
 * The members of a constructed element, from its content. One level: whoever calls decides how deep it goes.
 *
 * @throws AppError `pki.malformed` also for tags of several bytes, which nothing here uses
 */
export function derValues(content: Buffer): DerValue[] {
  const values: DerValue[] = [];
  for (let offset = 0; offset < content.length; ) {
    const { tag, contentStart, end } = readElement(content, offset);
    if ((tag & 0x1f) === 0x1f || end > content.length) throw malformed();
    values.push({ tag, content: content.subarray(contentStart, end), raw: content.subarray(offset, end) });
    offset = end;
  }
  return values;
}

/**
 * Extensions (a SEQUENCE OF Extension) by their dotted identifier: the DER within the OCTET STRING. None given: none.
 *
 * @throws AppError `pki.malformed` also for repeated ones
 * @see RFC 5280 section 4.1
 */
export function extensionsOf(extensions: DerValue | undefined): Map<string, Buffer> {
  const found = new Map<string, Buffer>();
  for (const { content } of extensions === undefined ? [] : derValues(extensions.content)) {
    const members = derValues(content);
    const [id, value] = [members[0], members.at(-1)];
    if (id?.tag !== 0x06 || value?.tag !== 0x04) throw malformed();
    const oid = dotted(id.content);
    if (found.has(oid)) throw malformed();
    found.set(oid, value.content);
  }
  return found;
}

/** An OBJECT IDENTIFIER's content in dotted form; its numbers have at most 28 bits here. */
export function dotted(content: Buffer): string {
  const numbers: number[] = [];
  let value = 0;
  for (const byte of content) {
    if (value >= 2 ** 21) throw malformed();
    value = value * 128 + (byte & 0x7f);
    if (byte >= 0x80) continue;
    numbers.push(value);
    value = 0;
  }
  const [joint = 0, ...rest] = numbers;
  const first = Math.min(2, Math.floor(joint / 40));
  return [first, joint - first * 40, ...rest].join(".");
}

/** Definite lengths of at most three bytes: anything longer is beyond every size limit here. */
function readElement(bytes: Buffer, offset: number): DerElement {
  const tag = bytes[offset];
  const first = bytes[offset + 1];
  if (tag === undefined || first === undefined) throw malformed();
  if (first < 0x80) return { tag, contentStart: offset + 2, end: offset + 2 + first };
  const lengthBytes = first & 0x7f;
  const contentStart = offset + 2 + lengthBytes;
  if (lengthBytes === 0 || lengthBytes > 3 || contentStart > bytes.length) throw malformed();
  return { tag, contentStart, end: contentStart + bytes.readUIntBE(offset + 2, lengthBytes) };
}

function malformed(): AppError {
  return new AppError("pki.malformed", "This is not well-formed DER.");
}

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
  return new AppError("pki.malformed", "This is not a DER certificate.");
}

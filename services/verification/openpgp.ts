import type { Readable } from "node:stream";
import * as openpgp from "openpgp";
import { z } from "zod";
import { AppError } from "#lib/errors/app-error.ts";
import { parseJsonBounded } from "#lib/uptane/json.ts";

/**
 * How a signature speaks of an image: `container`, a signed document of the "atomic container signature" form that names the digest;
 * `checksums`, a signed `sha256sum.txt` that lists it; `detached`, a signature over the image's bytes themselves.
 */
export const SIGNATURE_FORMS = ["container", "checksums", "detached"] as const;
export type SignatureForm = (typeof SIGNATURE_FORMS)[number];

export type TrustedKey = {
  readonly fingerprint: string;
  readonly name: string;
  readonly armored: string;
  readonly expiresAt: Date | null;
};

/** A signature as it was uploaded; `document` is the signed file where the signature is apart from it. */
export type SignatureFiles = { readonly signature: Uint8Array; readonly document: Uint8Array | null };

/** The image that a signature must speak of. */
export type SignedSubject = { readonly filename: string; readonly sha256: string; open(): Promise<Readable> };

export const MAX_DOCUMENT_BYTES = 1_048_576;

const CONFIG = { maxDecompressedMessageSize: MAX_DOCUMENT_BYTES };
const DOCUMENT_LIMITS = { maxBytes: MAX_DOCUMENT_BYTES, maxDepth: 16, maxNodes: 10_000 };
const CONTAINER_TYPE = "atomic container signature";

const ContainerSignature = z.object({
  critical: z.object({
    type: z.literal(CONTAINER_TYPE).optional(),
    image: z.object({ "docker-manifest-digest": z.string() }),
  }),
});

/**
 * Reads the one public key of a file, armored or binary.
 *
 * @throws AppError `openpgp.malformed` (no key, several, or a private one) | `openpgp.key_untrusted` (it has expired or was revoked)
 */
export async function readTrustedKey(bytes: Uint8Array, now: Date): Promise<TrustedKey> {
  const keys = await parse(() => {
    const text = armored(bytes);
    return text === null ? openpgp.readKeys({ binaryKeys: bytes }) : openpgp.readKeys({ armoredKeys: text });
  });
  const [key] = keys;
  // Of several armored blocks only the first is read, which is not what whoever sent them thinks.
  const blocks = armored(bytes)?.split("-----BEGIN PGP ").length ?? 2;
  if (key === undefined || keys.length !== 1 || blocks !== 2) throw malformed("Give one public key.");
  if (key.isPrivate())
    throw malformed("This is a private key, which nobody but its owner should have. Export the public one.");
  await key.verifyPrimaryKey(now).catch((cause: unknown) => {
    throw new AppError("openpgp.key_untrusted", "The key has expired or was revoked.", { cause });
  });
  const expires = await key.getExpirationTime();
  return {
    fingerprint: key.getFingerprint(),
    name: key.getUserIDs()[0] ?? key.getFingerprint(),
    armored: key.armor(),
    expiresAt: expires instanceof Date ? expires : null,
  };
}

/** The form of a signature, told from its bytes. @throws AppError `openpgp.malformed` */
export async function formOf({ signature, document }: SignatureFiles): Promise<SignatureForm> {
  if (document !== null || isCleartext(signature)) return "checksums";
  const detached = await readDetached(signature).catch(() => null);
  if (detached !== null) return "detached";
  const message = await readInline(signature);
  const content = message.getLiteralData();
  // Of a compressed or signed message the content shows only once it is read.
  return content !== null && content[0] === OPENING_BRACE ? "container" : "checksums";
}

const OPENING_BRACE = 0x7b;

/**
 * Checks one signature: made by a key that is trusted here, and about this image.
 *
 * @returns the fingerprint of the trusted key that made it
 * @throws AppError `openpgp.malformed` | `openpgp.key_untrusted` (made by another key) | `openpgp.signature_invalid` |
 *   `openpgp.digest_mismatch` (a good signature over something else) | `backend.*`
 * @see RFC 9580 section 5.2; containers/image, docs/containers-signature.5.md, for the container form
 */
export async function checkSignature(
  given: SignatureFiles & { form: SignatureForm },
  subject: SignedSubject,
  { trusted, now }: { trusted: readonly TrustedKey[]; now: Date },
): Promise<string> {
  const keys = await Promise.all(trusted.map((key) => openpgp.readKey({ armoredKey: key.armored })));
  const verifying = { verificationKeys: keys, date: now, config: CONFIG };
  if (given.form === "detached") return checkDetached(given.signature, subject, verifying);
  const { content, fingerprint } = await openSigned(given, verifying);
  if (given.form === "container") assertContainer(content, subject);
  else assertListed(content, subject);
  return fingerprint;
}

type Verifying = { verificationKeys: openpgp.Key[]; date: Date; config: typeof CONFIG };

async function checkDetached(bytes: Uint8Array, subject: SignedSubject, verifying: Verifying): Promise<string> {
  const signature = await readDetached(bytes);
  assertKnownSigner(signature.getSigningKeyIDs(), verifying);
  const stream = await subject.open();
  const message = await openpgp.createMessage({ binary: toWeb(stream) });
  const result = await openpgp.verify({ ...verifying, message, signature, format: "binary" });
  const reader = result.data.getReader();
  for (;;) if ((await reader.read()).done) break;
  return signerOf(result.signatures, verifying);
}

/** The bytes that were signed, once their signature held. */
async function openSigned(
  given: SignatureFiles & { form: SignatureForm },
  verifying: Verifying,
): Promise<{ content: Uint8Array; fingerprint: string }> {
  if (given.document !== null) {
    const signature = await readDetached(given.signature);
    assertKnownSigner(signature.getSigningKeyIDs(), verifying);
    const message = await openpgp.createMessage({ binary: given.document });
    const result = await openpgp.verify({ ...verifying, message, signature, format: "binary" });
    return { content: given.document, fingerprint: await signerOf(result.signatures, verifying) };
  }
  if (isCleartext(given.signature)) {
    const text = Buffer.from(given.signature).toString("utf8");
    const message = await parse(() => openpgp.readCleartextMessage({ cleartextMessage: text, config: CONFIG }));
    assertKnownSigner(message.getSigningKeyIDs(), verifying);
    const result = await openpgp.verify({ ...verifying, message });
    return { content: Buffer.from(result.data), fingerprint: await signerOf(result.signatures, verifying) };
  }
  const message = await readInline(given.signature);
  assertKnownSigner(message.getSigningKeyIDs(), verifying);
  const result = await openpgp.verify({ ...verifying, message, format: "binary" });
  return { content: result.data, fingerprint: await signerOf(result.signatures, verifying) };
}

type SignatureResult = { readonly keyID: openpgp.KeyID; readonly verified: Promise<true> };

/** One good signature by a trusted key is enough; who else signed does not count. */
async function signerOf(signatures: readonly SignatureResult[], { verificationKeys }: Verifying): Promise<string> {
  let cause: unknown;
  for (const { keyID, verified } of signatures) {
    const key = verificationKeys.find((known) => known.getKeys(keyID).length > 0);
    try {
      await verified;
      if (key !== undefined) return key.getFingerprint();
    } catch (error) {
      if (key !== undefined || cause === undefined) cause = error;
    }
  }
  throw new AppError("openpgp.signature_invalid", "The OpenPGP signature does not hold for what it came with.", {
    cause,
  });
}

function assertKnownSigner(ids: openpgp.KeyID[], { verificationKeys }: Verifying): void {
  if (ids.some((id) => verificationKeys.some((key) => key.getKeys(id).length > 0))) return;
  const named = ids.map((id) => id.toHex()).join(", ");
  throw new AppError("openpgp.key_untrusted", `The signature was made by a key that is not trusted here: ${named}.`);
}

function assertContainer(content: Uint8Array, { sha256 }: SignedSubject): void {
  let document: unknown;
  try {
    document = parseJsonBounded(content, DOCUMENT_LIMITS);
  } catch (cause) {
    throw new AppError("openpgp.malformed", "What was signed is no container signature.", { cause });
  }
  const parsed = ContainerSignature.safeParse(document);
  if (!parsed.success) throw malformed("What was signed is no container signature.", parsed.error);
  const digest = parsed.data.critical.image["docker-manifest-digest"];
  if (digest !== `sha256:${sha256}`) throw otherDigest(digest, sha256);
}

/** The digest must be in the list; a line that has this image's own name with another digest contradicts it. */
function assertListed(content: Uint8Array, { filename, sha256 }: SignedSubject): void {
  const lines = Buffer.from(content).toString("utf8").split(/\r?\n/);
  const entries = lines.flatMap((line) => {
    const match = /^([0-9a-f]{64}) [ *](.+)$/i.exec(line);
    return match === null ? [] : [{ digest: String(match[1]).toLowerCase(), name: String(match[2]) }];
  });
  const own = entries.find(({ name, digest }) => name === filename && digest !== sha256);
  if (own !== undefined) throw otherDigest(`sha256:${own.digest}`, sha256);
  if (entries.some(({ digest }) => digest === sha256)) return;
  throw new AppError("openpgp.digest_mismatch", `The signed list has no file with the SHA-256 ${sha256}.`);
}

function otherDigest(signed: string, sha256: string): AppError {
  return new AppError(
    "openpgp.digest_mismatch",
    `${signed} was signed by OpenPGP, the image has the SHA-256 ${sha256}.`,
  );
}

function readDetached(bytes: Uint8Array): Promise<openpgp.Signature> {
  const text = armored(bytes);
  return parse(() =>
    text === null
      ? openpgp.readSignature({ binarySignature: bytes, config: CONFIG })
      : openpgp.readSignature({ armoredSignature: text, config: CONFIG }),
  );
}

function readInline(bytes: Uint8Array): Promise<openpgp.Message<Uint8Array> | openpgp.Message<string>> {
  const text = armored(bytes);
  return parse<openpgp.Message<Uint8Array> | openpgp.Message<string>>(() =>
    text === null
      ? openpgp.readMessage({ binaryMessage: bytes, config: CONFIG })
      : openpgp.readMessage({ armoredMessage: text, config: CONFIG }),
  );
}

async function parse<T>(read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (cause) {
    throw malformed("This can't be read as OpenPGP.", cause);
  }
}

function armored(bytes: Uint8Array): string | null {
  const text = Buffer.from(bytes).toString("latin1");
  return text.trimStart().startsWith("-----BEGIN PGP ") ? text : null;
}

function isCleartext(bytes: Uint8Array): boolean {
  return armored(bytes)?.trimStart().startsWith("-----BEGIN PGP SIGNED MESSAGE-----") === true;
}

/** As openpgp reads streams; one chunk at a time, as fast as they are hashed. */
function toWeb(stream: Readable): ReadableStream<Uint8Array> {
  const iterator: AsyncIterator<Buffer> = stream[Symbol.asyncIterator]();
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      const { done, value } = await iterator.next();
      if (done === true) controller.close();
      else controller.enqueue(new Uint8Array(value));
    },
    cancel() {
      stream.destroy();
    },
  });
}

function malformed(text: string, cause?: unknown): AppError {
  return new AppError("openpgp.malformed", text, { cause });
}

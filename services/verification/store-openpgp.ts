import type { DbOrTx, Tx } from "#lib/db/client.ts";
import { SIGNATURE_FORMS, type SignatureFiles, type SignatureForm, type TrustedKey } from "./openpgp.ts";

/** How many keys an environment can trust: each is tried on each signature. */
export const MAX_KEYS = 50;
/** Signatures of one image. */
export const MAX_SIGNATURES = 10;

export type StoredKey = TrustedKey & { readonly addedBy: string; readonly addedAt: Date };

const KEY = { fingerprint: true, name: true, armored: true, expiresAt: true, addedBy: true, addedAt: true } as const;

/** All of them, {@link MAX_KEYS} at most. */
export async function listKeys(db: DbOrTx, namespaceId: string): Promise<StoredKey[]> {
  return db.openpgpKey.findMany({
    where: { namespaceId },
    orderBy: [{ addedAt: "asc" }, { fingerprint: "asc" }],
    take: MAX_KEYS,
    select: KEY,
  });
}

export async function countKeys(tx: Tx, namespaceId: string): Promise<number> {
  return tx.openpgpKey.count({ where: { namespaceId } });
}

/** The same key again replaces what is known of it: it may have been prolonged. */
export async function putKey(tx: Tx, namespaceId: string, key: StoredKey): Promise<void> {
  const { fingerprint, ...content } = key;
  await tx.openpgpKey.upsert({
    where: { namespaceId_fingerprint: { namespaceId, fingerprint } },
    create: { namespaceId, fingerprint, ...content },
    update: content,
    select: { fingerprint: true },
  });
}

/** @returns its name; null when there is none */
export async function removeKey(tx: Tx, namespaceId: string, fingerprint: string): Promise<string | null> {
  const where = { namespaceId_fingerprint: { namespaceId, fingerprint } };
  const found = await tx.openpgpKey.findUnique({ where, select: { name: true } });
  if (found === null) return null;
  await tx.openpgpKey.deleteMany({ where: { namespaceId, fingerprint } });
  return found.name;
}

export type StoredSignature = SignatureFiles & { readonly form: SignatureForm };

/** Of this image with these bytes, {@link MAX_SIGNATURES} at most. */
export async function listSignatures(
  db: DbOrTx,
  namespaceId: string,
  { filename, sha256 }: { filename: string; sha256: string },
): Promise<StoredSignature[]> {
  const rows = await db.imageSignature.findMany({
    where: { namespaceId, filename, sha256 },
    orderBy: [{ addedAt: "asc" }, { id: "asc" }],
    take: MAX_SIGNATURES,
    select: { form: true, signature: true, document: true },
  });
  return rows.flatMap(({ form, ...files }) => {
    const known = SIGNATURE_FORMS.find((one) => one === form);
    return known === undefined ? [] : [{ form: known, ...files }];
  });
}

export type NewSignature = StoredSignature & {
  readonly id: string;
  readonly filename: string;
  readonly sha256: string;
  readonly addedBy: string;
  readonly addedAt: Date;
};

export async function addSignature(tx: Tx, namespaceId: string, signature: NewSignature): Promise<void> {
  const { document, ...rest } = signature;
  await tx.imageSignature.create({
    data: {
      namespaceId,
      ...rest,
      signature: Uint8Array.from(signature.signature),
      document: document === null ? null : Uint8Array.from(document),
    },
    select: { id: true },
  });
}

/** Images with signatures are looked at again by the next scrub: what they are worth has changed. */
export async function makeSignedDue(tx: Tx, namespaceId: string): Promise<void> {
  await tx.$executeRaw`
    UPDATE image_verification SET "checkedAt" = to_timestamp(0)
    WHERE "namespaceId" = ${namespaceId} AND filename IN
      (SELECT filename FROM image_signature WHERE "namespaceId" = ${namespaceId})`;
}

import { randomUUID } from "node:crypto";
import { type Actor, requirePermission } from "#lib/authz/actor.ts";
import type { BackendCtx } from "#lib/backends/backends.ts";
import type { AddSignature, OpenpgpKey } from "#lib/contracts/console/openpgp.ts";
import type { Ctx } from "#lib/ctx.ts";
import { lockInTransaction } from "#lib/db/client.ts";
import { publishEvent } from "#lib/db/events.ts";
import { AppError, isAppError } from "#lib/errors/app-error.ts";
import { record } from "#services/audit/service.ts";
import type { Outcome } from "./chain.ts";
import { checkSignature, formOf, readTrustedKey, type SignedSubject } from "./openpgp.ts";
import { httpSource, type RepositorySource } from "./source.ts";
import * as store from "./store-openpgp.ts";

/** The keys whose signatures over images count. @throws AppError `auth.forbidden` */
export async function listOpenpgpKeys(ctx: Ctx, actor: Actor): Promise<OpenpgpKey[]> {
  requirePermission(actor, "image.read");
  return (await store.listKeys(ctx.db, ctx.namespaceId)).map(toDto);
}

/**
 * Trusts a public key.
 *
 * @throws AppError `auth.forbidden` | `openpgp.malformed` (no key, a private one, one too many) | `openpgp.key_untrusted` (expired or revoked)
 */
export async function addOpenpgpKey(ctx: Ctx, actor: Actor, armored: string): Promise<OpenpgpKey> {
  requirePermission(actor, "image.trust");
  const key = await readTrustedKey(Buffer.from(armored, "utf8"), ctx.clock());
  const added = { ...key, addedBy: actor.name, addedAt: ctx.clock() };
  await ctx.db.$transaction(async (tx) => {
    await lockInTransaction(tx, `openpgp-keys:${ctx.namespaceId}`);
    if ((await store.countKeys(tx, ctx.namespaceId)) >= store.MAX_KEYS) {
      throw new AppError("openpgp.malformed", `${store.MAX_KEYS} keys are trusted already. Remove one first.`);
    }
    await store.putKey(tx, ctx.namespaceId, added);
    await store.makeSignedDue(tx, ctx.namespaceId);
    await record(tx, ctx, actor, {
      action: "openpgp_key.add",
      target: { kind: "openpgp_key", id: key.fingerprint, name: key.name },
    });
  });
  return toDto(added);
}

/** @throws AppError `auth.forbidden` | `openpgp.key_not_found` */
export async function removeOpenpgpKey(ctx: Ctx, actor: Actor, fingerprint: string): Promise<void> {
  requirePermission(actor, "image.trust");
  await ctx.db.$transaction(async (tx) => {
    const name = await store.removeKey(tx, ctx.namespaceId, fingerprint);
    if (name === null) throw new AppError("openpgp.key_not_found", "This key is not among the trusted ones.");
    await store.makeSignedDue(tx, ctx.namespaceId);
    await record(tx, ctx, actor, {
      action: "openpgp_key.remove",
      target: { kind: "openpgp_key", id: fingerprint, name },
    });
  });
}

/**
 * Keeps an OpenPGP signature of an image, once it is known to be one: by a trusted key, over these bytes.
 *
 * @throws AppError `auth.forbidden` | `image.not_found` | `openpgp.*` | `backend.*`
 */
export async function addImageSignature(
  ctx: BackendCtx,
  actor: Actor,
  { filename, ...given }: AddSignature & { filename: string },
): Promise<void> {
  requirePermission(actor, "image.upload");
  const { sha256 } = await ctx.backends.reposerver.getImage(ctx, filename);
  const files = {
    signature: Buffer.from(given.signature, "base64"),
    document: given.document === undefined ? null : Buffer.from(given.document, "base64"),
  };
  const form = await formOf(files);
  const trusted = await store.listKeys(ctx.db, ctx.namespaceId);
  const now = ctx.clock();
  const subject = subjectOf(httpSource(ctx), { filename, sha256 });
  const fingerprint = await checkSignature({ ...files, form }, subject, { trusted, now });
  await ctx.db.$transaction(async (tx) => {
    await lockInTransaction(tx, `image-signatures:${ctx.namespaceId}:${filename}`);
    const known = await store.listSignatures(tx, ctx.namespaceId, { filename, sha256 });
    if (known.some((one) => files.signature.equals(one.signature))) return;
    if (known.length >= store.MAX_SIGNATURES) {
      throw new AppError("openpgp.malformed", `An image keeps ${store.MAX_SIGNATURES} signatures at most.`);
    }
    const row = { id: randomUUID(), filename, sha256, form, ...files, addedBy: actor.name, addedAt: now };
    await store.addSignature(tx, ctx.namespaceId, row);
    await publishEvent(tx, ctx.namespaceId, { topic: "image", subjectId: filename });
    await record(tx, ctx, actor, {
      action: "image.sign",
      target: { kind: "image", id: filename, name: filename },
      after: { form, key: fingerprint },
    });
  });
}

/**
 * One outcome a signature of the image; none when it has none, because they are optional.
 *
 * @param bytesAreGood whether length and digest were found right; else a signature has nothing to be about
 * @throws AppError `backend.*`
 */
export async function checkSignatures(
  ctx: Ctx,
  source: RepositorySource,
  { filename, sha256, bytesAreGood }: { filename: string; sha256: string; bytesAreGood: boolean },
): Promise<Outcome[]> {
  const signatures = await store.listSignatures(ctx.db, ctx.namespaceId, { filename, sha256 });
  if (signatures.length === 0) return [];
  if (!bytesAreGood) {
    return [{ ...OPENPGP, result: "not_checked", code: null, text: "The checks before it did not pass.", keyIds: [] }];
  }
  const trusted = await store.listKeys(ctx.db, ctx.namespaceId);
  const subject = subjectOf(source, { filename, sha256 });
  const outcomes: Outcome[] = [];
  // One after the other: each may read the whole image.
  for (const signature of signatures) {
    try {
      const fingerprint = await checkSignature(signature, subject, { trusted, now: ctx.clock() });
      const name = trusted.find((key) => key.fingerprint === fingerprint)?.name ?? fingerprint;
      outcomes.push({
        ...OPENPGP,
        result: "ok",
        code: null,
        text: `Signed by ${name}, ${WORDS[signature.form]}.`,
        keyIds: [fingerprint],
      });
    } catch (error) {
      if (!isAppError(error) || !error.code.startsWith("openpgp.")) throw error;
      // A key that is no longer trusted says nothing against the image.
      const result = error.code === "openpgp.key_untrusted" ? "not_checked" : "failed";
      outcomes.push({ ...OPENPGP, result, code: error.code, text: error.message, keyIds: [] });
    }
  }
  return outcomes;
}

const OPENPGP = { check: "openpgp" as const };
const WORDS = {
  container: "in a container signature that names the digest",
  checksums: "in a list of checksums that has the digest",
  detached: "over the bytes themselves",
};

function subjectOf(source: RepositorySource, image: { filename: string; sha256: string }): SignedSubject {
  return {
    ...image,
    async open() {
      const content = await source.open(image.filename);
      if (content.kind === "bytes") return content.stream;
      throw new AppError("openpgp.signature_invalid", "The bytes that were signed are not kept here.");
    },
  };
}

function toDto({ fingerprint, name, expiresAt, addedBy, addedAt }: store.StoredKey): OpenpgpKey {
  return { fingerprint, name, expiresAt: expiresAt?.toISOString() ?? null, addedBy, addedAt: addedAt.toISOString() };
}

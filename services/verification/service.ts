import { type Actor, requirePermission } from "#lib/authz/actor.ts";
import type { BackendCtx } from "#lib/backends/backends.ts";
import type { RepoImage } from "#lib/contracts/ota/reposerver.ts";
import type { Ctx } from "#lib/ctx.ts";
import type { DbOrTx } from "#lib/db/client.ts";
import { AppError } from "#lib/errors/app-error.ts";
import { findListed, httpSource, type RepositorySource } from "./source.ts";
import * as store from "./store.ts";
import { checkImage, type ListedImage, openChain, type Verification } from "./verify.ts";

export { type CheckedRepository, type CheckImages, createImageChecks, httpRepository } from "./image-checks.ts";
export { scrubImages } from "./scrub.ts";
export {
  addImageSignature,
  addOpenpgpKey,
  listOpenpgpKeys,
  removeOpenpgpKey,
} from "./signatures.ts";
export { type Content, commitFinding, type RepositorySource } from "./source.ts";
export type { ListedImage, Verification } from "./verify.ts";

/** How many an overview names; the images list has them all. */
const MISMATCHED_SHOWN = 20;

/**
 * Recomputes everything that is known of an image, on somebody's demand.
 *
 * @throws AppError `auth.forbidden` | `image.not_found` | `backend.*`
 */
export async function verifyImageNow(ctx: BackendCtx, actor: Actor, filename: string): Promise<Verification> {
  requirePermission(actor, "image.upload");
  const listed = await ctx.backends.reposerver.getImage(ctx, filename);
  const source = httpSource(ctx);
  return checkImage(ctx, source, { chain: await openChain(ctx, source), filename, listed });
}

/**
 * Checks an image right after it was uploaded. The image is there whatever happens here; until it is checked it shows as "not
 * checked".
 */
export async function verifyUploaded(ctx: Ctx, source: RepositorySource, listed: ListedImage): Promise<void> {
  try {
    await checkImage(ctx, source, { chain: await openChain(ctx, source), filename: listed.filename, listed });
  } catch (err) {
    ctx.log.warn({ err, filename: listed.filename }, "a new image could not be checked");
  }
}

/** {@link verifyUploaded} over the repository's contract. */
export async function verifyUploadedImage(ctx: BackendCtx, listed: ListedImage): Promise<void> {
  await verifyUploaded(ctx, httpSource(ctx), listed);
}

/**
 * Recomputes these images before devices are told to install them: a byte that changed since the last check is found here.
 *
 * @throws AppError `update.invalid` when one of them does not verify | `backend.*`
 */
export async function verifyBeforeAssignment(ctx: BackendCtx, filenames: readonly string[]): Promise<void> {
  const source = httpSource(ctx);
  const chain = await openChain(ctx, source);
  for (const filename of new Set(filenames)) {
    const listed = await findListed(ctx, filename);
    if (listed !== null) await checkImage(ctx, source, { chain, filename, listed });
  }
  await assertNotCondemned(ctx, filenames);
}

/**
 * Which of these names must not be assigned to any device, because what is stored under them is not what was signed, each with what
 * its failed checks say. One query.
 */
export async function condemnedImages(
  db: DbOrTx,
  namespaceId: string,
  filenames: readonly string[],
): Promise<ReadonlyMap<string, string>> {
  const condemned = await store.listMismatched(db, namespaceId, filenames, filenames.length);
  return new Map(
    condemned.map(({ filename, checks }) => [
      filename,
      checks
        .filter(({ result }) => result === "failed")
        .map(({ text }) => text)
        .join(" "),
    ]),
  );
}

/** @throws AppError `update.invalid` naming the images */
export async function assertNotCondemned(ctx: Ctx, filenames: readonly string[]): Promise<void> {
  const condemned = await condemnedImages(ctx.db, ctx.namespaceId, filenames);
  if (condemned.size === 0) return;
  const named = [...condemned].map(([filename, why]) => `${filename} did not pass verification: ${why}`);
  throw new AppError("update.invalid", `${named.join(" ")} So no device may install it.`);
}

/** For Overview: the images that did not verify, at most 20. @throws AppError `auth.forbidden` */
export async function listCondemned(ctx: Ctx, actor: Actor): Promise<string[]> {
  requirePermission(actor, "image.read");
  const condemned = await store.listMismatched(ctx.db, ctx.namespaceId, null, MISMATCHED_SHOWN);
  return condemned.map(({ filename }) => filename);
}

/** Puts what we found on images as a repository lists them; it knows nothing of it, or, embedded, only what we found. */
export async function withVerification<T extends RepoImage>(ctx: Ctx, images: readonly T[]): Promise<T[]> {
  const found = await store.verificationsOf(
    ctx.db,
    ctx.namespaceId,
    images.map(({ filename }) => filename),
  );
  const byName = new Map(found.map((one) => [one.filename, one]));
  return images.map((image) => {
    const one = byName.get(image.filename);
    const known = one !== undefined && (one.sha256 === null || one.sha256 === image.sha256);
    return { ...image, verification: known ? { state: one.state, checks: one.checks } : NOT_CHECKED };
  });
}

/** {@link withVerification} for one. */
export async function getVerified<T extends RepoImage>(ctx: Ctx, image: T): Promise<T> {
  const [verified] = await withVerification(ctx, [image]);
  return verified ?? image;
}

/** What was found last. @throws AppError `auth.forbidden` | `image.not_found` | `backend.*` */
export async function getVerification(ctx: BackendCtx, actor: Actor, filename: string): Promise<Verification> {
  requirePermission(actor, "image.read");
  return (await getVerified(ctx, await ctx.backends.reposerver.getImage(ctx, filename))).verification;
}

const NOT_CHECKED: Verification = { state: "not_checked", checks: [] };

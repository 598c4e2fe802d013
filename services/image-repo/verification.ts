import { createHash } from "node:crypto";
import type { BlobStore } from "#lib/blobs/store.ts";
import type { RepoImage } from "#lib/contracts/ota/reposerver.ts";
import { publishEvent } from "#lib/db/events.ts";
import { AppError, isAppError } from "#lib/errors/app-error.ts";
import {
  type VerifiedImageTargets,
  type VerifiedRoot,
  verifyImageTargets,
  verifyInitialRoot,
  verifyNextRoot,
  verifySnapshot,
  verifyTimestamp,
} from "#lib/uptane/verify.ts";
import { findRoot } from "#services/keyserver/service.ts";
import type { ImageRepoCtx } from "./images.ts";
import { readRoles } from "./roles.ts";
import * as store from "./store.ts";

export type ImageVerificationResult = RepoImage["verification"];
type Check = ImageVerificationResult["checks"][number];

/**
 * Checks an image as a device would, over the bytes that are stored: the root chain from version 1, timestamp, snapshot and
 * targets under it, then length and SHA-256 of the bytes against what was signed. The result is kept and shown.
 *
 * @returns `verified` only when each of the four checks ran and passed
 * @throws AppError `ota.target_not_found`
 */
export async function verifyImage(
  ctx: ImageRepoCtx,
  repoId: string,
  filename: string,
): Promise<ImageVerificationResult> {
  const image = await store.findImage(ctx.db, ctx.namespaceId, filename);
  if (image === null) throw new AppError("ota.target_not_found", "There is no such image.");
  const at = ctx.clock().toISOString();
  const [metadata, stored] = await Promise.all([
    checkMetadata(ctx, repoId, image),
    image.blobKey === null ? null : measure(ctx.blobs, image.blobKey),
  ]);
  const checks = [...metadata, ...checkBytes(image, stored)].map((check) => ({ ...check, at }));
  const found: ImageVerificationResult = { state: stateOf(checks), checks };
  await ctx.db.$transaction(async (tx) => {
    // It may have been deleted while its bytes were read.
    if ((await store.findImage(tx, ctx.namespaceId, filename))?.sha256 !== image.sha256) return;
    await store.putVerification(tx, ctx.namespaceId, filename, { ...found, checkedAt: ctx.clock() });
    await publishEvent(tx, ctx.namespaceId, { topic: "image", subjectId: filename });
  });
  if (found.state === "mismatch") ctx.log.error({ filename, checks: JSON.stringify(checks) }, "image does not verify");
  return found;
}

type Outcome = Omit<Check, "at">;
type Measured = { sha256: string; length: number };

async function checkMetadata(ctx: ImageRepoCtx, repoId: string, image: store.ImageRow): Promise<Outcome[]> {
  let root: VerifiedRoot;
  try {
    root = await walkRoots(ctx, repoId);
  } catch (error) {
    return [failed("root", error), { check: "targets", result: "not_checked", text: "No trusted root.", keyIds: [] }];
  }
  const { roles, version } = root.signed;
  const good: Outcome = {
    check: "root",
    result: "ok",
    text: `Root version ${version}, each signed by the one before.`,
    keyIds: [...roles.root.keyids],
  };
  try {
    const targets = await verifyTargets(ctx, repoId, root);
    const listed = targets.signed.targets.get(image.filename);
    if (listed?.hashes.sha256 !== image.sha256 || listed.length !== image.length) {
      throw new AppError("uptane.target_mismatch", "The signed targets do not list this image as it is stored here.");
    }
    const text = `Targets version ${targets.signed.version}, signed and listing this image.`;
    return [good, { check: "targets", result: "ok", text, keyIds: [...roles.targets.keyids] }];
  } catch (error) {
    return [good, failed("targets", error)];
  }
}

async function walkRoots(ctx: ImageRepoCtx, repoId: string): Promise<VerifiedRoot> {
  const first = await findRoot(ctx.db, repoId, 1);
  if (first === null) throw new AppError("uptane.malformed", "Root version 1 is missing.");
  let root = verifyInitialRoot(first, 1);
  for (;;) {
    const next = await findRoot(ctx.db, repoId, root.signed.version + 1);
    if (next === null) return root;
    root = verifyNextRoot(root, next);
  }
}

async function verifyTargets(ctx: ImageRepoCtx, repoId: string, root: VerifiedRoot): Promise<VerifiedImageTargets> {
  const now = ctx.clock();
  const bytes = await readRoles(ctx, repoId);
  const timestamp = verifyTimestamp({ bytes: bytes.timestamp, root, now });
  const snapshot = verifySnapshot({ bytes: bytes.snapshot, root, now, timestamp });
  return verifyImageTargets({ bytes: bytes.targets, root, now, snapshot });
}

async function measure(blobs: BlobStore, key: string): Promise<Measured | null> {
  const opened = await blobs.open(key);
  if (opened === null) return null;
  const hash = createHash("sha256");
  let length = 0;
  for await (const chunk of opened.stream) {
    hash.update(chunk);
    length += chunk.length;
  }
  return { sha256: hash.digest("hex"), length };
}

function checkBytes(image: store.ImageRow, stored: Measured | null): Outcome[] {
  if (stored === null) {
    const text = "The stored bytes are gone.";
    return [
      { check: "length", result: "failed", text, keyIds: [] },
      { check: "digest", result: "failed", text, keyIds: [] },
    ];
  }
  const length: Outcome =
    stored.length === image.length
      ? { check: "length", result: "ok", text: `${image.length} bytes, as signed.`, keyIds: [] }
      : {
          check: "length",
          result: "failed",
          text: `${stored.length} bytes are stored, ${image.length} were signed.`,
          keyIds: [],
        };
  const digest: Outcome =
    stored.sha256 === image.sha256
      ? { check: "digest", result: "ok", text: `SHA-256 ${image.sha256}, as signed.`, keyIds: [] }
      : {
          check: "digest",
          result: "failed",
          text: `The stored bytes have the SHA-256 ${stored.sha256}, ${image.sha256} was signed.`,
          keyIds: [],
        };
  return [length, digest];
}

function stateOf(checks: Check[]): ImageVerificationResult["state"] {
  if (checks.some(({ result }) => result === "failed")) return "mismatch";
  return checks.length === 4 && checks.every(({ result }) => result === "ok") ? "verified" : "not_checked";
}

/** A refusal of the verifier is a finding; anything else is trouble of our own and passes. */
function failed(check: "root" | "targets", error: unknown): Outcome {
  if (!isAppError(error) || !error.code.startsWith("uptane.")) throw error;
  return { check, result: "failed", text: error.message, keyIds: [] };
}

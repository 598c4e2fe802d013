import type { VerificationCheck, VerificationState } from "#lib/contracts/console/images.ts";
import type { Ctx } from "#lib/ctx.ts";
import { publishEvent } from "#lib/db/events.ts";
import { AppError } from "#lib/errors/app-error.ts";
import { verifyInitialRoot } from "#lib/uptane/verify.ts";
import { type Chain, type Outcome, type PinnedRoot, skipped, verifyChain } from "./chain.ts";
import { checkContent, type SignedImage } from "./content.ts";
import { checkSignatures } from "./signatures.ts";
import type { RepositorySource } from "./source.ts";
import * as store from "./store.ts";

/** What is known of an image: `verified` only when every check that applies to it ran and passed. */
export type Verification = { readonly state: VerificationState; readonly checks: VerificationCheck[] };

/** How an image is listed where it comes from; what was signed must say the same. */
export type ListedImage = SignedImage & { readonly filename: string };

export type Pace = { bytesPerSecond?: number };

/** The repository's metadata, judged from the pinned root on. @throws AppError `backend.*` | `uptane.*` (there is no root to pin) */
export async function openChain(ctx: Ctx, source: RepositorySource): Promise<Chain> {
  return verifyChain(source, await pinnedRoot(ctx, source), ctx.clock());
}

/**
 * Makes every check of one image under metadata that was judged before, keeps the result and tells the pages.
 *
 * @param listed how the repository lists it; null when only what was signed is known
 * @throws AppError `backend.*`; the result that was there stays then
 */
export async function checkImage(
  ctx: Ctx,
  source: RepositorySource,
  { chain, filename, listed, pace = {} }: { chain: Chain; filename: string; listed: ListedImage | null; pace?: Pace },
): Promise<Verification> {
  const checked = await checksOf(source, { chain, filename, listed, pace });
  const sha256 = listed?.sha256 ?? chain.targets?.signed.targets.get(filename)?.hashes.sha256 ?? null;
  const bytesAreGood = checked.every(({ result }) => result === "ok");
  const outcomes =
    sha256 === null
      ? checked
      : [...checked, ...(await checkSignatures(ctx, source, { filename, sha256, bytesAreGood }))];
  const at = ctx.clock();
  const checks = outcomes.map((outcome) => ({ ...outcome, at: at.toISOString() }));
  const verification: Verification = { state: stateOf(outcomes), checks };
  await ctx.db.$transaction(async (tx) => {
    await store.putVerification(tx, ctx.namespaceId, { filename, sha256, ...verification, checkedAt: at });
    await publishEvent(tx, ctx.namespaceId, { topic: "image", subjectId: filename });
  });
  if (verification.state === "mismatch") {
    ctx.log.error({ filename, checks: JSON.stringify(checks) }, "image does not verify");
  }
  return verification;
}

type Checked = { chain: Chain; filename: string; listed: ListedImage | null; pace: Pace };

async function checksOf(source: RepositorySource, { chain, filename, listed, pace }: Checked): Promise<Outcome[]> {
  if (chain.targets === null) {
    const because = chain.outcomes.find(({ result }) => result === "failed")?.check ?? "root";
    return [...chain.outcomes, skipped("length", because), skipped("digest", because)];
  }
  const target = chain.targets.signed.targets.get(filename);
  const sha256 = target?.hashes.sha256;
  if (target === undefined || sha256 === undefined || !agrees(listed, { sha256, length: target.length })) {
    const text =
      target === undefined ? "The signed list does not name this image." : "The signed list names other bytes.";
    return [
      ...chain.outcomes.map((outcome) =>
        outcome.check === "targets"
          ? { ...outcome, result: "failed" as const, code: "uptane.target_mismatch", text }
          : outcome,
      ),
      skipped("length", "targets"),
      skipped("digest", "targets"),
    ];
  }
  if (target.targetFormat === "OSTREE") return [...chain.outcomes, await checkCommit(source, sha256)];
  return [...chain.outcomes, ...(await checkContent(source, { filename, sha256, length: target.length }, pace))];
}

function agrees(listed: ListedImage | null, signed: SignedImage): boolean {
  return listed === null || (listed.sha256 === signed.sha256 && listed.length === signed.length);
}

async function checkCommit(source: RepositorySource, commit: string): Promise<Outcome> {
  const finding = await source.commit(commit);
  const base = { check: "commit" as const, keyIds: [] };
  if (finding.kind === "unknown") return { ...base, result: "not_checked", code: null, text: finding.text };
  if (finding.kind === "broken") return { ...base, result: "failed", code: finding.code, text: finding.text };
  const text = `Commit ${commit}: ${finding.objects} objects are there and have the names that their bytes give.`;
  return { ...base, result: "ok", code: null, text };
}

function stateOf(outcomes: readonly Outcome[]): VerificationState {
  if (outcomes.some(({ result }) => result === "failed")) return "mismatch";
  return outcomes.every(({ result }) => result === "ok") ? "verified" : "not_checked";
}

/**
 * The root that this repository showed first. Version 1 where it has it, since the chain is then whole; else the newest.
 *
 * @throws AppError `uptane.malformed` and others of `verifyInitialRoot`
 */
async function pinnedRoot(ctx: Ctx, source: RepositorySource): Promise<PinnedRoot> {
  const { repository } = source;
  const known = await store.findPin(ctx.db, ctx.namespaceId, repository);
  if (known !== null) return known;
  const bytes = (await source.root(1)) ?? (await source.root(null));
  if (bytes === null) throw new AppError("uptane.malformed", "The image repository has no root metadata.");
  const { version } = verifyInitialRoot(bytes).signed;
  await store.addPin(ctx.db, ctx.namespaceId, { repository, version, bytes, pinnedAt: ctx.clock() });
  return (await store.findPin(ctx.db, ctx.namespaceId, repository)) ?? { version, bytes };
}

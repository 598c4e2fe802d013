import type { VerificationCheck } from "#lib/contracts/console/images.ts";
import { AppError, isAppError } from "#lib/errors/app-error.ts";
import {
  assertRootUnexpired,
  type VerifiedImageTargets,
  type VerifiedRoot,
  verifyImageTargets,
  verifyInitialRoot,
  verifyNextRoot,
  verifySnapshot,
  verifyTimestamp,
} from "#lib/uptane/verify.ts";
import type { RepositoryRole, RepositorySource } from "./source.ts";

/** A check before the time it was made is put on it. */
export type Outcome = Omit<VerificationCheck, "at">;
type Check = Outcome["check"];

/** A root as it was seen first. */
export type PinnedRoot = { readonly version: number; readonly bytes: Uint8Array };

/** What the metadata came to: one outcome a document, and the targets when all of them hold. */
export type Chain = { readonly outcomes: readonly Outcome[]; readonly targets: VerifiedImageTargets | null };

/** As many roots as a device walks at most. @see TUF 1.0.31 section 5.3.3 */
const MAX_ROOTS = 1_000;
/** The repository may sign anew between two of our reads; what stays wrong over these is wrong. */
const ATTEMPTS = 4;

const LATER: readonly Check[] = ["timestamp", "snapshot", "targets"];

/**
 * Verifies a repository's metadata from the pinned root on, as a device does: each root signed by the one before, then timestamp,
 * snapshot and targets. Documents that were replaced while they were read are read again.
 *
 * @throws AppError of the source (`backend.*`); what is wrong with a document is an outcome
 * @see TUF 1.0.31 section 5.3 to 5.6; contracts/aktualizr-client.md section 5
 */
export async function verifyChain(source: RepositorySource, pinned: PinnedRoot, now: Date): Promise<Chain> {
  for (let attempt = 1; ; attempt += 1) {
    const documents = await readDocuments(source);
    const chain = await judge(source, { pinned, documents, now });
    if (chain.targets !== null || attempt === ATTEMPTS || (await isUnchanged(source, documents))) return chain;
  }
}

type Documents = Record<RepositoryRole | "root", Uint8Array | null>;

async function readDocuments(source: RepositorySource): Promise<Documents> {
  const timestamp = await source.role("timestamp");
  const [snapshot, targets, root] = await Promise.all([
    source.role("snapshot"),
    source.role("targets"),
    source.root(null),
  ]);
  return { timestamp, snapshot, targets, root };
}

async function isUnchanged(source: RepositorySource, before: Documents): Promise<boolean> {
  const now = await readDocuments(source);
  const roles = ["timestamp", "snapshot", "targets", "root"] as const;
  return roles.every((role) => isSame(before[role], now[role]));
}

function isSame(left: Uint8Array | null, right: Uint8Array | null): boolean {
  return left === null || right === null ? left === right : Buffer.from(left).equals(right);
}

type Judged = { pinned: PinnedRoot; documents: Documents; now: Date };

async function judge(source: RepositorySource, { pinned, documents, now }: Judged): Promise<Chain> {
  const outcomes: Outcome[] = [];
  /** Runs one link; after one that fails, the rest has nothing to stand on. */
  const link = <T>(check: Check, verify: () => T, good: (proven: T) => Pick<Outcome, "text" | "keyIds">): T | null => {
    try {
      const proven = verify();
      outcomes.push({ check, result: "ok", code: null, ...good(proven) });
      return proven;
    } catch (error) {
      outcomes.push(failure(check, error));
      return null;
    }
  };
  const walked = await walkRoots(source, pinned).catch(found);
  const root = link(
    "root",
    () => unexpired(walked, now),
    ({ signed }) => ({
      text:
        signed.version === pinned.version
          ? `Root version ${signed.version}, as pinned.`
          : `Root version ${signed.version}, each signed by the one before since the pinned version ${pinned.version}.`,
      keyIds: [...signed.roles.root.keyids],
    }),
  );
  if (root === null) return { outcomes: [...outcomes, ...LATER.map((check) => skipped(check, "root"))], targets: null };
  const { roles } = root.signed;
  const timestamp = link(
    "timestamp",
    () => verifyTimestamp({ bytes: present(documents, "timestamp"), root, now }),
    ({ signed }) => ({
      text: `Version ${signed.version}, good until ${day(signed.expires)}.`,
      keyIds: [...roles.timestamp.keyids],
    }),
  );
  const snapshot =
    timestamp === null
      ? skip(outcomes, "snapshot", "timestamp")
      : link(
          "snapshot",
          () => verifySnapshot({ bytes: present(documents, "snapshot"), root, now, timestamp }),
          ({ signed }) => ({
            text: `Version ${signed.version}, good until ${day(signed.expires)}.`,
            keyIds: [...roles.snapshot.keyids],
          }),
        );
  const targets =
    snapshot === null
      ? skip(outcomes, "targets", timestamp === null ? "timestamp" : "snapshot")
      : link(
          "targets",
          () => verifyImageTargets({ bytes: present(documents, "targets"), root, now, snapshot }),
          ({ signed }) => ({
            text: `Version ${signed.version}, good until ${day(signed.expires)}, signed by ${roles.targets.threshold} of ${roles.targets.keyids.length}.`,
            keyIds: [...roles.targets.keyids],
          }),
        );
  return { outcomes, targets };
}

async function walkRoots(source: RepositorySource, pinned: PinnedRoot): Promise<VerifiedRoot> {
  let root = verifyInitialRoot(pinned.bytes, pinned.version);
  const shown = await source.root(pinned.version);
  if (shown !== null && !isSame(shown, pinned.bytes)) {
    throw new AppError(
      "uptane.hash_mismatch",
      `The repository shows another root ${pinned.version} than the pinned one.`,
    );
  }
  for (let walked = 0; walked < MAX_ROOTS; walked += 1) {
    const next = await source.root(root.signed.version + 1);
    if (next === null) return root;
    root = verifyNextRoot(root, next);
  }
  throw new AppError("uptane.too_large", `More than ${MAX_ROOTS} roots follow the pinned one.`);
}

/** A refusal of the verifier is a finding; anything else is trouble of our own or of the network and passes. */
function found(error: unknown): AppError {
  if (isAppError(error) && error.code.startsWith("uptane.")) return error;
  throw error;
}

function failure(check: Check, error: unknown): Outcome {
  const { code, message } = found(error);
  return { check, result: "failed", code, text: message, keyIds: [] };
}

function skip(outcomes: Outcome[], check: Check, because: Check): null {
  outcomes.push(skipped(check, because));
  return null;
}

export function skipped(check: Check, because: Check): Outcome {
  return {
    check,
    result: "not_checked",
    code: null,
    text: `Nothing to judge it by: ${WORDS[because]} failed.`,
    keyIds: [],
  };
}

const WORDS: Record<Check, string> = {
  root: "the root of trust",
  timestamp: "the timestamp",
  snapshot: "the snapshot",
  targets: "the list of images",
  length: "the length",
  digest: "the digest",
  commit: "the commit",
  openpgp: "the OpenPGP signature",
};

function unexpired(walked: VerifiedRoot | AppError, now: Date): VerifiedRoot {
  if (walked instanceof AppError) throw walked;
  assertRootUnexpired(walked, now);
  return walked;
}

function present(documents: Documents, role: RepositoryRole): Uint8Array {
  const bytes = documents[role];
  if (bytes !== null) return bytes;
  throw new AppError("uptane.malformed", `The repository has no ${role}.json.`);
}

function day(at: Date): string {
  return at.toISOString().slice(0, 10);
}

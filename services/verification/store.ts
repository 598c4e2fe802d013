import { VerificationCheck, VerificationState } from "#lib/contracts/console/images.ts";
import type { DbOrTx } from "#lib/db/client.ts";
import type { PinnedRoot } from "./chain.ts";

export type StoredVerification = {
  readonly filename: string;
  readonly sha256: string | null;
  readonly state: VerificationState;
  readonly checks: VerificationCheck[];
  readonly checkedAt: Date;
};

const VERIFICATION = { filename: true, sha256: true, state: true, checks: true, checkedAt: true } as const;

export async function putVerification(db: DbOrTx, namespaceId: string, found: StoredVerification): Promise<void> {
  const { filename, ...result } = found;
  await db.imageVerification.upsert({
    where: { namespaceId_filename: { namespaceId, filename } },
    create: { namespaceId, filename, ...result },
    update: result,
    select: { filename: true },
  });
}

/** @param filenames a page's, or an update's */
export async function verificationsOf(
  db: DbOrTx,
  namespaceId: string,
  filenames: readonly string[],
): Promise<StoredVerification[]> {
  const rows = await db.imageVerification.findMany({
    where: { namespaceId, filename: { in: [...filenames] } },
    select: VERIFICATION,
  });
  return rows.map((row) => ({
    ...row,
    state: VerificationState.parse(row.state),
    checks: VerificationCheck.array().parse(row.checks),
  }));
}

export type CheckedAt = { readonly filename: string; readonly state: string; readonly checkedAt: Date };

/** When each image was looked at last; as many rows as the signed list has entries, which its size bounds. */
export async function listCheckedAt(db: DbOrTx, namespaceId: string): Promise<CheckedAt[]> {
  return db.imageVerification.findMany({
    where: { namespaceId },
    select: { filename: true, state: true, checkedAt: true },
  });
}

export async function listMismatched(
  db: DbOrTx,
  namespaceId: string,
  filenames: readonly string[] | null,
  limit: number,
): Promise<Pick<StoredVerification, "filename" | "checks">[]> {
  const rows = await db.imageVerification.findMany({
    where: { namespaceId, state: "mismatch", ...(filenames === null ? {} : { filename: { in: [...filenames] } }) },
    orderBy: { filename: "asc" },
    take: limit,
    select: { filename: true, checks: true },
  });
  return rows.map(({ filename, checks }) => ({ filename, checks: VerificationCheck.array().parse(checks) }));
}

export type Look = { readonly filename: string; readonly sha256: string | null; readonly checkedAt: Date };

/** When these were looked at last, and what was signed of them then. */
export async function listLooks(db: DbOrTx, namespaceId: string, filenames: readonly string[]): Promise<Look[]> {
  return db.imageVerification.findMany({
    where: { namespaceId, filename: { in: [...filenames] } },
    select: { filename: true, sha256: true, checkedAt: true },
  });
}

/** Results of images that are no longer listed; those that were made after `before` belong to newer lists. */
export async function dropVerifications(
  db: DbOrTx,
  namespaceId: string,
  gone: { filenames: readonly string[]; before: Date },
): Promise<void> {
  await db.imageVerification.deleteMany({
    where: { namespaceId, filename: { in: [...gone.filenames] }, checkedAt: { lt: gone.before } },
  });
}

export async function findPin(db: DbOrTx, namespaceId: string, repository: string): Promise<PinnedRoot | null> {
  return db.repositoryPin.findUnique({
    where: { namespaceId_repository: { namespaceId, repository } },
    select: { version: true, bytes: true },
  });
}

/** The first writer's pin stays. */
export async function addPin(
  db: DbOrTx,
  namespaceId: string,
  pin: PinnedRoot & { repository: string; pinnedAt: Date },
): Promise<void> {
  const { repository, version, pinnedAt } = pin;
  const bytes = Uint8Array.from(pin.bytes);
  await db.repositoryPin.createMany({
    data: [{ namespaceId, repository, version, bytes, pinnedAt }],
    skipDuplicates: true,
  });
}

/** Environments that have an image repository here. */
export async function listNamespaces(db: DbOrTx): Promise<string[]> {
  const rows = await db.tufRepo.findMany({
    where: { kind: "image" },
    orderBy: { namespaceId: "asc" },
    select: { namespaceId: true },
  });
  return rows.map(({ namespaceId }) => namespaceId);
}

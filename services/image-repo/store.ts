import type { RepoImage } from "#lib/contracts/ota/reposerver.ts";
import type { DbOrTx, Tx } from "#lib/db/client.ts";
import type { Prisma } from "#lib/db/generated/client.ts";
import { escapeLike } from "#lib/db/like.ts";
import type { RoleDocument, RoleName } from "./roles.ts";

export type ImageRow = {
  filename: string;
  name: string;
  version: string;
  hardwareIds: string[];
  sha256: string;
  length: number;
  blobKey: string | null;
  createdAt: Date;
  updatedAt: Date;
};

const IMAGE = {
  filename: true,
  name: true,
  version: true,
  hardwareIds: true,
  sha256: true,
  length: true,
  blobKey: true,
  createdAt: true,
  updatedAt: true,
} satisfies Prisma.ImageTargetSelect;

type SelectedImage = Prisma.ImageTargetGetPayload<{ select: typeof IMAGE }>;

export async function findImage(db: DbOrTx, namespaceId: string, filename: string): Promise<ImageRow | null> {
  const row = await db.imageTarget.findUnique({
    where: { namespaceId_filename: { namespaceId, filename } },
    select: IMAGE,
  });
  return row === null ? null : toRow(row);
}

/** All of them: they make up the targets metadata, which bounds their number. */
export async function allImages(db: DbOrTx, namespaceId: string): Promise<ImageRow[]> {
  const rows = await db.imageTarget.findMany({ where: { namespaceId }, orderBy: { filename: "asc" }, select: IMAGE });
  return rows.map(toRow);
}

export async function pageOfItems(
  db: DbOrTx,
  namespaceId: string,
  query: { nameContains?: string | undefined; offset: number; limit: number },
): Promise<{ values: ImageRow[]; total: number }> {
  const where: Prisma.ImageTargetWhereInput = { namespaceId, ...filenameContains(query.nameContains) };
  const [rows, total] = await Promise.all([
    db.imageTarget.findMany({
      where,
      orderBy: [{ updatedAt: "asc" }, { filename: "asc" }],
      skip: query.offset,
      take: query.limit,
      select: IMAGE,
    }),
    db.imageTarget.count({ where }),
  ]);
  return { values: rows.map(toRow), total };
}

export async function putImage(tx: Tx, namespaceId: string, image: ImageRow): Promise<void> {
  const { filename, createdAt, length, ...rest } = image;
  const content = { ...rest, length: BigInt(length), format: "BINARY", storage: "managed" };
  await tx.imageTarget.upsert({
    where: { namespaceId_filename: { namespaceId, filename } },
    create: { namespaceId, filename, createdAt, ...content },
    update: content,
    select: { filename: true },
  });
  await tx.imageTombstone.deleteMany({ where: { namespaceId, filename } });
}

/** Leaves a tombstone: the name may come back only with these bytes. */
export async function buryImage(tx: Tx, namespaceId: string, image: ImageRow, deletedAt: Date): Promise<void> {
  const where = { namespaceId, filename: image.filename };
  await tx.imageTarget.deleteMany({ where });
  await tx.imageComment.deleteMany({ where });
  await tx.imageVerification.deleteMany({ where });
  await tx.imageTombstone.create({
    data: { ...where, sha256: image.sha256, length: BigInt(image.length), deletedAt },
    select: { filename: true },
  });
}

export async function findTombstone(
  db: DbOrTx,
  namespaceId: string,
  filename: string,
): Promise<{ sha256: string } | null> {
  return db.imageTombstone.findUnique({
    where: { namespaceId_filename: { namespaceId, filename } },
    select: { sha256: true },
  });
}

/** Of these names, those that were deleted and have not come back. */
export async function findDeleted(db: DbOrTx, namespaceId: string, filenames: readonly string[]): Promise<string[]> {
  const rows = await db.imageTombstone.findMany({
    where: { namespaceId, filename: { in: [...filenames] } },
    select: { filename: true },
    orderBy: { filename: "asc" },
  });
  return rows.map(({ filename }) => filename);
}

/** Of these keys, those that an image of any namespace needs. */
export async function keysInUse(db: DbOrTx, keys: string[]): Promise<Set<string>> {
  const rows = await db.imageTarget.findMany({
    where: { blobKey: { in: keys } },
    distinct: ["blobKey"],
    select: { blobKey: true },
  });
  return new Set(rows.flatMap(({ blobKey }) => (blobKey === null ? [] : [blobKey])));
}

export type RoleFacts = { role: RoleName; version: number; checksum: string; expiresAt: Date };

export async function roleFacts(db: DbOrTx, repoId: string): Promise<RoleFacts[]> {
  const rows = await db.imageRole.findMany({
    where: { repoId },
    select: { role: true, version: true, checksum: true, expiresAt: true },
  });
  return rows.flatMap(({ role, ...facts }) =>
    role === "targets" || role === "snapshot" || role === "timestamp" ? [{ role, ...facts }] : [],
  );
}

export async function roleDocument(db: DbOrTx, repoId: string, role: RoleName): Promise<RoleDocument | null> {
  const row = await db.imageRole.findUnique({
    where: { repoId_role: { repoId, role } },
    select: { version: true, bytes: true, checksum: true, expiresAt: true },
  });
  return row === null ? null : { role, ...row, bytes: Buffer.from(row.bytes) };
}

/** Of one moment: they fit together. */
export async function roleDocuments(db: DbOrTx, repoId: string): Promise<Map<string, Buffer>> {
  const rows = await db.imageRole.findMany({ where: { repoId }, select: { role: true, bytes: true } });
  return new Map(rows.map(({ role, bytes }) => [role, Buffer.from(bytes)]));
}

export async function putRole(tx: Tx, repoId: string, document: RoleDocument, updatedAt: Date): Promise<void> {
  const { role, version, checksum, expiresAt } = document;
  const content = { version, checksum, expiresAt, updatedAt, bytes: Uint8Array.from(document.bytes) };
  await tx.imageRole.upsert({
    where: { repoId_role: { repoId, role } },
    create: { repoId, role, ...content },
    update: content,
    select: { version: true },
  });
}

export async function reposWithRolesExpiring(
  db: DbOrTx,
  due: { role: RoleName; before: Date }[],
  limit: number,
): Promise<{ repoId: string; namespaceId: string }[]> {
  const roles = await db.imageRole.findMany({
    where: { OR: due.map(({ role, before }) => ({ role, expiresAt: { lt: before } })) },
    distinct: ["repoId"],
    take: limit,
    select: { repoId: true },
  });
  const repos = await db.tufRepo.findMany({
    where: { id: { in: roles.map(({ repoId }) => repoId) } },
    select: { id: true, namespaceId: true },
  });
  return repos.map(({ id, namespaceId }) => ({ repoId: id, namespaceId }));
}

export async function putVerification(
  tx: DbOrTx,
  namespaceId: string,
  filename: string,
  found: RepoImage["verification"] & { checkedAt: Date },
): Promise<void> {
  await tx.imageVerification.upsert({
    where: { namespaceId_filename: { namespaceId, filename } },
    create: { namespaceId, filename, ...found },
    update: found,
    select: { filename: true },
  });
}

export async function dropVerification(tx: Tx, namespaceId: string, filename: string): Promise<void> {
  await tx.imageVerification.deleteMany({ where: { namespaceId, filename } });
}

export function filenameContains(text: string | undefined): { filename?: { contains: string } } {
  return text === undefined ? {} : { filename: { contains: escapeLike(text) } };
}

function toRow({ length, name, version, ...row }: SelectedImage): ImageRow {
  return { ...row, name: name ?? row.filename, version: version ?? "", length: Number(length) };
}

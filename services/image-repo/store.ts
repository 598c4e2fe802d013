import type { DbOrTx, Tx } from "#lib/db/client.ts";
import { Prisma } from "#lib/db/generated/client.ts";
import { escapeLike } from "#lib/db/like.ts";
import { isJsonObject, type Json, type JsonObject } from "#lib/uptane/json.ts";
import type { TargetFormat } from "#lib/uptane/roles.ts";
import type { RoleDocument, RoleName } from "./roles.ts";

/** Uploaded here; uploaded here by a signing tool, which lists it itself; or kept elsewhere. @see contracts/reposerver-keyserver.md section 3.1 */
export type StorageMethod = "managed" | "cli_managed" | "unmanaged";

export type ImageRow = {
  filename: string;
  /** Without name or version the image has no `custom` part. */
  name: string | null;
  version: string | null;
  hardwareIds: string[];
  format: TargetFormat | null;
  sha256: string;
  length: number;
  uri: string | null;
  proprietary: JsonObject | null;
  cliUploaded: boolean | null;
  storage: StorageMethod;
  blobKey: string | null;
  createdAt: Date;
  updatedAt: Date;
};

const IMAGE = {
  filename: true,
  name: true,
  version: true,
  hardwareIds: true,
  format: true,
  sha256: true,
  length: true,
  uri: true,
  proprietary: true,
  cliUploaded: true,
  storage: true,
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

export async function findImages(db: DbOrTx, namespaceId: string, filenames: readonly string[]): Promise<ImageRow[]> {
  const rows = await db.imageTarget.findMany({
    where: { namespaceId, filename: { in: [...filenames] } },
    select: IMAGE,
  });
  return rows.map(toRow);
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
  const { filename, createdAt, length, proprietary, ...rest } = image;
  const content = { ...rest, length: BigInt(length), proprietary: proprietary ?? Prisma.DbNull };
  await tx.imageTarget.upsert({
    where: { namespaceId_filename: { namespaceId, filename } },
    create: { namespaceId, filename, createdAt, ...content },
    update: content,
    select: { filename: true },
  });
  await tx.imageTombstone.deleteMany({ where: { namespaceId, filename } });
}

export async function findTombstone(
  db: DbOrTx,
  namespaceId: string,
  filename: string,
): Promise<{ sha256: string; length: number } | null> {
  const row = await db.imageTombstone.findUnique({
    where: { namespaceId_filename: { namespaceId, filename } },
    select: { sha256: true, length: true },
  });
  return row === null ? null : { sha256: row.sha256, length: Number(row.length) };
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

/** Of these keys, those that an image or an upload of any namespace needs. */
export async function keysInUse(db: DbOrTx, keys: readonly string[]): Promise<Set<string>> {
  const rows = await db.$queryRaw<{ key: string }[]>`
    SELECT "blobKey" AS key FROM image_target WHERE "blobKey" = ANY(${keys}::text[])
    UNION SELECT sha256 FROM image_upload WHERE sha256 = ANY(${keys}::text[])
    UNION SELECT sha256 FROM image_upload_part WHERE sha256 = ANY(${keys}::text[])`;
  return new Set(rows.map(({ key }) => key));
}

export type RoleFacts = {
  role: RoleName;
  version: number;
  checksum: string;
  expiresAt: Date;
  /** No role of the repository may end before. */
  notBefore: Date | null;
};

/** In one query: every device's poll asks it. */
export async function roleFacts(db: DbOrTx, repoId: string): Promise<RoleFacts[]> {
  const rows = await db.$queryRaw<(Omit<RoleFacts, "role"> & { role: string })[]>`
    SELECT role.role, role.version, role.checksum, role."expiresAt", repo."expireNotBefore" AS "notBefore"
    FROM image_role role JOIN tuf_repo repo ON repo.id = role."repoId" WHERE role."repoId" = ${repoId}::uuid`;
  return rows.flatMap(({ role, ...facts }) =>
    role === "targets" || role === "snapshot" || role === "timestamp" ? [{ role, ...facts }] : [],
  );
}

export async function expireNotBefore(db: DbOrTx, repoId: string): Promise<Date | null> {
  const repo = await db.tufRepo.findUnique({ where: { id: repoId }, select: { expireNotBefore: true } });
  return repo?.expireNotBefore ?? null;
}

export async function roleDocument(db: DbOrTx, repoId: string, role: RoleName): Promise<RoleDocument | null> {
  const row = await db.imageRole.findUnique({
    where: { repoId_role: { repoId, role } },
    select: { version: true, bytes: true, checksum: true, expiresAt: true },
  });
  return row === null ? null : { role, ...row, bytes: Buffer.from(row.bytes) };
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

/** In the order of their ids, from `after` on: one that can't be renewed is due for ever, and must not hide the others. */
export async function reposWithRolesExpiring(
  db: DbOrTx,
  due: { role: RoleName; before: Date }[],
  page: { after: string | null; limit: number },
): Promise<{ repoId: string; namespaceId: string }[]> {
  const roles = await db.imageRole.findMany({
    where: {
      OR: due.map(({ role, before }) => ({ role, expiresAt: { lt: before } })),
      ...(page.after === null ? {} : { repoId: { gt: page.after } }),
    },
    distinct: ["repoId"],
    orderBy: { repoId: "asc" },
    take: page.limit,
    select: { repoId: true },
  });
  const repos = await db.tufRepo.findMany({
    where: { id: { in: roles.map(({ repoId }) => repoId) } },
    orderBy: { id: "asc" },
    select: { id: true, namespaceId: true },
  });
  return repos.map(({ id, namespaceId }) => ({ repoId: id, namespaceId }));
}

export async function dropVerification(tx: Tx, namespaceId: string, filename: string): Promise<void> {
  await tx.imageVerification.deleteMany({ where: { namespaceId, filename } });
}

export function filenameContains(text: string | undefined): { filename?: { contains: string } } {
  return text === undefined ? {} : { filename: { contains: escapeLike(text) } };
}

function toRow({ length, format, storage, proprietary, ...row }: SelectedImage): ImageRow {
  const value = proprietary as Json;
  return {
    ...row,
    length: Number(length),
    format: format === "OSTREE" || format === "BINARY" ? format : null,
    storage: storage === "unmanaged" || storage === "cli_managed" ? storage : "managed",
    proprietary: isJsonObject(value) ? value : null,
  };
}

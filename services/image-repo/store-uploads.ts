import type { DbOrTx, Tx } from "#lib/db/client.ts";
import type { Prisma } from "#lib/db/generated/client.ts";
import { isJsonArray, isJsonObject, type Json } from "#lib/uptane/json.ts";

export type UploadKind = "cli" | "image";
export type UploadFields = { name: string; version: string; hardwareIds: string[] };
export type PartRow = { number: number; sha256: string; md5: string; length: number };
export type UploadRow = {
  id: string;
  filename: string;
  kind: UploadKind;
  state: "open" | "received";
  length: number;
  partSize: number;
  expectSha256: string | null;
  fields: UploadFields | null;
  parts: PartRow[];
};

const UPLOAD = {
  id: true,
  filename: true,
  kind: true,
  state: true,
  length: true,
  partSize: true,
  expectSha256: true,
  fields: true,
  parts: { select: { number: true, sha256: true, md5: true, length: true }, orderBy: { number: "asc" } },
} satisfies Prisma.ImageUploadSelect;

export async function insertUpload(
  db: DbOrTx,
  namespaceId: string,
  upload: Omit<UploadRow, "parts" | "fields"> & { fields: UploadFields | null; sha256?: string; at: Date },
): Promise<void> {
  const { length, fields, at, ...rest } = upload;
  await db.imageUpload.create({
    data: {
      ...rest,
      namespaceId,
      length: BigInt(length),
      createdAt: at,
      touchedAt: at,
      ...(fields === null ? {} : { fields }),
    },
    select: { id: true },
  });
}

export async function findUpload(db: DbOrTx, namespaceId: string, id: string): Promise<UploadRow | null> {
  const row = await db.imageUpload.findFirst({ where: { id, namespaceId }, select: UPLOAD });
  if (row === null) return null;
  return {
    ...row,
    kind: row.kind === "image" ? "image" : "cli",
    state: row.state === "received" ? "received" : "open",
    length: Number(row.length),
    fields: toFields(row.fields as Json),
  };
}

export async function countOpenUploads(db: DbOrTx, namespaceId: string): Promise<number> {
  return db.imageUpload.count({ where: { namespaceId, state: "open" } });
}

export async function putPart(tx: Tx, uploadId: string, part: PartRow, at: Date): Promise<void> {
  const { number, ...content } = part;
  await tx.imageUploadPart.upsert({
    where: { uploadId_number: { uploadId, number } },
    create: { uploadId, number, ...content },
    update: content,
    select: { number: true },
  });
  await tx.imageUpload.update({ where: { id: uploadId }, data: { touchedAt: at }, select: { id: true } });
}

/** @param sha256 of bytes that are to be kept for whoever lists them; null when they are listed already */
export async function endUpload(tx: Tx, id: string, sha256: string | null, at: Date): Promise<void> {
  await tx.imageUploadPart.deleteMany({ where: { uploadId: id } });
  const data = { state: "received", sha256, touchedAt: at };
  await tx.imageUpload.update({ where: { id }, data, select: { id: true } });
}

/** Whole uploads of this name that a later one takes the place of. */
export async function dropReceived(tx: Tx, namespaceId: string, filename: string): Promise<void> {
  await tx.imageUpload.deleteMany({ where: { namespaceId, filename, kind: "cli", state: "received" } });
}

export async function deleteUpload(db: DbOrTx, namespaceId: string, id: string): Promise<void> {
  await db.imageUpload.deleteMany({ where: { namespaceId, id } });
}

/** Uploads that nobody has gone on with. @returns how many were removed; their bytes are left to the sweep */
export async function deleteStaleUploads(db: DbOrTx, before: { open: Date; received: Date }): Promise<number> {
  const { count } = await db.imageUpload.deleteMany({
    where: {
      OR: [
        { state: "open", touchedAt: { lt: before.open } },
        { state: "received", touchedAt: { lt: before.received } },
      ],
    },
  });
  return count;
}

export type ReceivedRow = { filename: string; sha256: string; length: number };

/**
 * Takes bytes that a signing tool has sent for these names and that are not listed yet: once listed or dropped, they are no upload any
 * more. Until `tx` ends they count as needed for everybody else, and nobody else can take them.
 */
export async function takeReceived(tx: Tx, namespaceId: string, filenames: readonly string[]): Promise<ReceivedRow[]> {
  const rows = await tx.$queryRaw<(Omit<ReceivedRow, "length"> & { length: bigint })[]>`
    DELETE FROM image_upload
    WHERE "namespaceId" = ${namespaceId} AND filename = ANY(${filenames}::text[]) AND kind = 'cli' AND state = 'received'
      AND sha256 IS NOT NULL
    RETURNING filename, sha256, length`;
  return rows.map((row) => ({ ...row, length: Number(row.length) }));
}

function toFields(value: Json): UploadFields | null {
  if (!isJsonObject(value)) return null;
  const hardwareIds = isJsonArray(value.hardwareIds) ? value.hardwareIds.map(String) : [];
  return { name: String(value.name), version: String(value.version), hardwareIds };
}

import type { DbOrTx } from "#lib/db/client.ts";
import { filenameContains } from "./store.ts";

type CommentRow = { filename: string; comment: string };
const MAX_LISTED = 10_000;

export async function listComments(
  db: DbOrTx,
  namespaceId: string,
  filter: { nameContains?: string | undefined; filenames?: string[] },
): Promise<CommentRow[]> {
  return db.imageComment.findMany({
    where: {
      namespaceId,
      ...filenameContains(filter.nameContains),
      ...(filter.filenames === undefined ? {} : { filename: { in: filter.filenames } }),
    },
    orderBy: { filename: "asc" },
    take: MAX_LISTED,
    select: { filename: true, comment: true },
  });
}

export async function findComment(db: DbOrTx, namespaceId: string, filename: string): Promise<string | null> {
  const where = { namespaceId_filename: { namespaceId, filename } };
  const row = await db.imageComment.findUnique({ where, select: { comment: true } });
  return row?.comment ?? null;
}

export async function putComment(db: DbOrTx, namespaceId: string, { filename, comment }: CommentRow): Promise<void> {
  await db.imageComment.upsert({
    where: { namespaceId_filename: { namespaceId, filename } },
    create: { namespaceId, filename, comment },
    update: { comment },
    select: { filename: true },
  });
}

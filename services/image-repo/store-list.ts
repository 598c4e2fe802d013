import { decodeCursor, encodeCursor, type Page } from "#lib/contracts/console/common.ts";
import { type ListImages, VerificationCheck, VerificationState } from "#lib/contracts/console/images.ts";
import type { RepoImage } from "#lib/contracts/ota/reposerver.ts";
import type { DbOrTx } from "#lib/db/client.ts";
import type { Prisma } from "#lib/db/generated/client.ts";
import { escapeLike } from "#lib/db/like.ts";
import { storableText } from "#lib/domain/storable-text.ts";
import { AppError } from "#lib/errors/app-error.ts";

/** A page by keyset: file names are unique, so they end every order. @throws AppError `request.invalid` (a cursor that is not ours) */
export async function listPage(
  db: DbOrTx,
  namespaceId: string,
  query: ListImages & { exactly?: string },
): Promise<Page<RepoImage>> {
  const where: Prisma.ImageTargetWhereInput = { namespaceId, AND: filtersOf(query) };
  const direction = query.sort.startsWith("-") ? "desc" : "asc";
  const byDate = query.sort.endsWith("createdAt");
  const [rows, total] = await Promise.all([
    db.imageTarget.findMany({
      where: query.cursor === undefined ? where : { AND: [where, after(query.cursor, byDate, direction)] },
      orderBy: byDate ? [{ createdAt: direction }, { filename: direction }] : [{ filename: direction }],
      take: query.limit + 1,
      select: {
        filename: true,
        name: true,
        version: true,
        hardwareIds: true,
        sha256: true,
        length: true,
        format: true,
        createdAt: true,
      },
    }),
    db.imageTarget.count({ where }),
  ]);
  const page = rows.slice(0, query.limit);
  const verifications = await verificationsOf(
    db,
    namespaceId,
    page.map(({ filename }) => filename),
  );
  const last = page.at(-1);
  return {
    data: page.map(({ length, name, version, format, createdAt, ...row }) => ({
      ...row,
      name: name ?? row.filename,
      version: version ?? "",
      length: Number(length),
      format: format === "OSTREE" ? "OSTREE" : "BINARY",
      createdAt: createdAt.toISOString(),
      verification: verifications.get(row.filename) ?? { state: "not_checked", checks: [] },
    })),
    nextCursor:
      rows.length > query.limit && last !== undefined
        ? encodeCursor([last.createdAt.toISOString(), last.filename])
        : null,
    total,
    totalIsExact: true,
  };
}

function filtersOf(query: ListImages & { exactly?: string }): Prisma.ImageTargetWhereInput[] {
  const filters: Prisma.ImageTargetWhereInput[] = [];
  if (query.exactly !== undefined) filters.push({ filename: query.exactly });
  if (query.hardware !== undefined) filters.push({ hardwareIds: { has: storableText(query.hardware) } });
  if (query.q !== undefined && query.q !== "") {
    const matches = { contains: escapeLike(query.q), mode: "insensitive" as const };
    filters.push({ OR: [{ filename: matches }, { name: matches }, { version: matches }] });
  }
  return filters;
}

function after(cursor: string, byDate: boolean, direction: "asc" | "desc"): Prisma.ImageTargetWhereInput {
  const [at, filename] = decodeCursor(cursor, 2);
  const createdAt = new Date(at ?? "");
  if (filename == null || Number.isNaN(createdAt.getTime())) {
    throw new AppError("request.invalid", "cursor is not one this list gave out. Start again without it.");
  }
  const beyond = <T>(value: T) => (direction === "asc" ? { gt: value } : { lt: value });
  if (!byDate) return { filename: beyond(filename) };
  return { OR: [{ createdAt: beyond(createdAt) }, { createdAt, filename: beyond(filename) }] };
}

async function verificationsOf(
  db: DbOrTx,
  namespaceId: string,
  filenames: string[],
): Promise<Map<string, RepoImage["verification"]>> {
  const rows = await db.imageVerification.findMany({
    where: { namespaceId, filename: { in: filenames } },
    select: { filename: true, state: true, checks: true },
  });
  return new Map(
    rows.map(({ filename, state, checks }) => [
      filename,
      { state: VerificationState.parse(state), checks: VerificationCheck.array().parse(checks) },
    ]),
  );
}

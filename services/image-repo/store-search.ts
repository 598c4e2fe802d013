import type { SearchFilter } from "#lib/contracts/ota/image-search.ts";
import type { DbOrTx } from "#lib/db/client.ts";
import { Prisma } from "#lib/db/generated/client.ts";
import { escapeLike } from "#lib/db/like.ts";
import type { Json } from "#lib/uptane/json.ts";

/** The origin of the namespace's own images; a delegated one's is the name of the role. */
export const OWN_ORIGIN = "targets.json";

export type FoundPackage = {
  name: string;
  version: string;
  filename: string;
  origin: string;
  length: number;
  sha256: string;
  uri: string | null;
  hardwareIds: string[];
  createdAt: Date;
  /** Of an own image the publisher's part, of a delegated one all of `custom`. */
  custom: Json;
};

export type FoundGroup = {
  name: string;
  versions: string[];
  hardwareIds: string[];
  origins: string[];
  lastVersionAt: Date;
};

type Page = { offset: number; limit: number; sortDirection: "Asc" | "Desc" };

export async function searchPackages(
  db: DbOrTx,
  namespaceId: string,
  query: Page & { sortBy: "Filename" | "CreatedAt"; filter: SearchFilter },
): Promise<{ values: FoundPackage[]; total: number }> {
  const where = conditions(namespaceId, query.filter);
  const direction = directionOf(query);
  const order =
    query.sortBy === "Filename"
      ? Prisma.sql`filename ${direction}, origin`
      : Prisma.sql`"createdAt" ${direction}, filename, origin`;
  const [rows, counted] = await Promise.all([
    db.$queryRaw<(Omit<FoundPackage, "length"> & { length: bigint })[]>`
      ${packages(namespaceId)} SELECT * FROM package WHERE ${where}
      ORDER BY ${order} LIMIT ${query.limit} OFFSET ${query.offset}`,
    db.$queryRaw<
      { total: number }[]
    >`${packages(namespaceId)} SELECT count(*)::int AS total FROM package WHERE ${where}`,
  ]);
  return { values: rows.map((row) => ({ ...row, length: Number(row.length) })), total: counted[0]?.total ?? 0 };
}

export async function searchGroups(
  db: DbOrTx,
  namespaceId: string,
  query: Page & { sortBy: "Name" | "LastVersionAt"; filter: SearchFilter },
): Promise<{ values: FoundGroup[]; total: number }> {
  const where = conditions(namespaceId, query.filter);
  const direction = directionOf(query);
  const order =
    query.sortBy === "Name" ? Prisma.sql`name ${direction}` : Prisma.sql`"lastVersionAt" ${direction}, name`;
  const [values, counted] = await Promise.all([
    db.$queryRaw<FoundGroup[]>`
      ${packages(namespaceId)} SELECT name, array_agg(DISTINCT version) AS versions, array_agg(DISTINCT origin) AS origins,
        coalesce(array_agg(DISTINCT hardware) FILTER (WHERE hardware IS NOT NULL), '{}') AS "hardwareIds",
        max("createdAt") AS "lastVersionAt"
      FROM package LEFT JOIN LATERAL unnest("hardwareIds") AS hardware ON true
      WHERE ${where} GROUP BY name ORDER BY ${order} LIMIT ${query.limit} OFFSET ${query.offset}`,
    db.$queryRaw<{ total: number }[]>`
      ${packages(namespaceId)} SELECT count(DISTINCT name)::int AS total FROM package WHERE ${where}`,
  ]);
  return { values, total: counted[0]?.total ?? 0 };
}

/** Own images come first. */
export async function findPackage(
  db: DbOrTx,
  namespaceId: string,
  { filename, originNot }: { filename: string; originNot: string | undefined },
): Promise<FoundPackage | null> {
  const [row] = await db.$queryRaw<(Omit<FoundPackage, "length"> & { length: bigint })[]>`
    ${packages(namespaceId)} SELECT * FROM package WHERE filename = ${filename} AND origin IS DISTINCT FROM ${originNot ?? null}
    ORDER BY origin <> ${OWN_ORIGIN}, origin LIMIT 1`;
  return row === undefined ? null : { ...row, length: Number(row.length) };
}

export async function hardwareIdsOfPackages(db: DbOrTx, namespaceId: string): Promise<string[]> {
  const rows = await db.$queryRaw<{ id: string }[]>`
    ${packages(namespaceId)} SELECT DISTINCT unnest("hardwareIds") AS id FROM package ORDER BY id`;
  return rows.map(({ id }) => id);
}

/** Own and delegated images alike; without name and version one is no package. */
function packages(namespaceId: string): Prisma.Sql {
  return Prisma.sql`WITH package AS (
    SELECT name, version, filename, ${OWN_ORIGIN}::text AS origin, length, sha256, uri, "hardwareIds", "createdAt", proprietary AS custom
    FROM image_target WHERE "namespaceId" = ${namespaceId} AND name IS NOT NULL AND version IS NOT NULL
    UNION ALL
    SELECT name, version, filename, role, length, sha256, uri, "hardwareIds", "createdAt", custom
    FROM image_delegated_target WHERE "namespaceId" = ${namespaceId} AND name IS NOT NULL AND version IS NOT NULL)`;
}

function conditions(namespaceId: string, filter: SearchFilter): Prisma.Sql {
  const { originNot, nameContains, name, version, hasSBOM } = filter;
  const all = [
    among(Prisma.sql`origin`, filter.origin),
    among(Prisma.sql`sha256`, filter.hashes),
    among(Prisma.sql`filename`, filter.filenames),
    filter.hardwareIds.length === 0 ? null : Prisma.sql`"hardwareIds" && ${filter.hardwareIds}::text[]`,
    originNot == null ? null : Prisma.sql`origin <> ${originNot}`,
    name == null ? null : Prisma.sql`name = ${name}`,
    version == null ? null : Prisma.sql`version = ${version}`,
    nameContains == null ? null : Prisma.sql`name ILIKE ${`%${escapeLike(nameContains)}%`}`,
    hasSBOM == null
      ? null
      : Prisma.sql`${hasSBOM} = EXISTS (SELECT 1 FROM image_sbom s WHERE s."namespaceId" = ${namespaceId} AND s.filename = package.filename)`,
  ].filter((one) => one !== null);
  return all.length === 0 ? Prisma.sql`true` : Prisma.join(all, " AND ");
}

function among(column: Prisma.Sql, values: string[]): Prisma.Sql | null {
  return values.length === 0 ? null : Prisma.sql`${column} = ANY(${values}::text[])`;
}

function directionOf({ sortDirection }: Page): Prisma.Sql {
  return sortDirection === "Asc" ? Prisma.sql`ASC` : Prisma.sql`DESC`;
}

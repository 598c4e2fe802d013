import { CertificateState } from "#lib/contracts/console/certificates.ts";
import { decodeCursor, encodeCursor, type Page } from "#lib/contracts/console/common.ts";
import { Activity, type DeviceFacets, type ListDevices } from "#lib/contracts/console/devices.ts";
import type { DbOrTx } from "#lib/db/client.ts";
import { Prisma } from "#lib/db/generated/client.ts";
import { escapeLike } from "#lib/db/like.ts";
import { AppError } from "#lib/errors/app-error.ts";
import { certificateStateAt, matching } from "./store-filter.ts";

const COUNTED_EXACTLY = 10_000;
const FACET_VALUES = 50;

const COLUMNS = {
  uuid: true,
  name: true,
  deviceId: true,
  status: true,
  statusReason: true,
  statusAt: true,
  hardwareIds: true,
  ecus: true,
  assignedFilenames: true,
  correlationId: true,
  mayStillInstall: true,
  assignedAt: true,
  fetchedAt: true,
  certificateFingerprint: true,
  certificateState: true,
  certificateNotAfter: true,
  lastFailureCode: true,
  lastFailureText: true,
  lastFailureAt: true,
  registrationRefusal: true,
  address: true,
  simulated: true,
  menderId: true,
  menderStatus: true,
  menderOnly: true,
  lastSeenAt: true,
  lastManifestAt: true,
  createdAt: true,
} satisfies Prisma.FleetDeviceSelect;

export type DeviceRow = Prisma.FleetDeviceGetPayload<{ select: typeof COLUMNS }>;

/** @throws AppError `device.not_found`, also for a device of another namespace */
export async function getDeviceRow(db: DbOrTx, namespaceId: string, uuid: string): Promise<DeviceRow> {
  const row = await db.fleetDevice.findUnique({ where: { namespaceId_uuid: { namespaceId, uuid } }, select: COLUMNS });
  if (row === null)
    throw new AppError("device.not_found", "There is no such device.", { context: { deviceUuid: uuid } });
  return row;
}

type Sort = { column: string; type: "text" | "timestamptz"; nullable: boolean };

/** Each has an index (namespace, column, uuid), read forwards or backwards. */
const SORTS = {
  name: { column: "name", type: "text", nullable: false },
  deviceId: { column: "deviceId", type: "text", nullable: false },
  status: { column: "status", type: "text", nullable: false },
  lastSeenAt: { column: "lastSeenAt", type: "timestamptz", nullable: true },
  createdAt: { column: "createdAt", type: "timestamptz", nullable: false },
  image: { column: "primaryImage", type: "text", nullable: true },
  hardware: { column: "primaryHardwareId", type: "text", nullable: true },
  certificate: { column: "certificateNotAfter", type: "timestamptz", nullable: true },
} as const satisfies Record<string, Sort>;

type Position = { value: string | null; uuid: string };

/** One page; `after` names its sort, so that a cursor of another sort is refused instead of giving a page of nonsense. */
export async function listDeviceRows(
  db: DbOrTx,
  namespaceId: string,
  input: { query: ListDevices; now: Date },
): Promise<{ rows: DeviceRow[]; nextCursor: string | null }> {
  const { query } = input;
  const after = query.cursor === undefined ? null : readCursor(query.cursor, query.sort);
  const filter = matching(namespaceId, query, { now: input.now });
  const wanted = query.limit + 1;
  const found =
    after?.value === null ? [] : await db.$queryRaw<SortedRow[]>(withValue(filter, { query, after, wanted }));
  const { nullable } = sortOf(query.sort);
  if (nullable && found.length < wanted) {
    const position = after?.value === null ? after : null;
    const rest = withoutValue(filter, { query, after: position, wanted: wanted - found.length });
    found.push(...(await db.$queryRaw<SortedRow[]>(rest)));
  }
  const rows = found.slice(0, query.limit);
  const last = rows.at(-1);
  const more = found.length > query.limit && last !== undefined;
  return { rows, nextCursor: more ? encodeCursor([query.sort, sortValue(last), last.uuid]) : null };
}

type SortedRow = DeviceRow & { sortValue: string | Date | null };

/** The rows that have a value to sort by: these come first in both directions. */
export function withValue(
  filter: Prisma.Sql,
  page: { query: ListDevices; after: Position | null; wanted: number },
): Prisma.Sql {
  const { column, type, nullable } = sortOf(page.query.sort);
  const direction = directionOf(page.query.sort);
  const beyond =
    page.after === null
      ? Prisma.empty
      : Prisma.sql`AND (${raw(column)}, uuid) ${Prisma.raw(direction.beyond)} (${page.after.value}::${Prisma.raw(type)}, ${page.after.uuid}::uuid)`;
  return Prisma.sql`
    SELECT ${SELECTED}, ${raw(column)} AS "sortValue" FROM fleet_device
    WHERE ${filter} ${nullable ? Prisma.sql`AND ${raw(column)} IS NOT NULL` : Prisma.empty} ${beyond}
    ORDER BY ${raw(column)} ${Prisma.raw(direction.order)}, uuid ${Prisma.raw(direction.order)} LIMIT ${page.wanted}`;
}

function withoutValue(
  filter: Prisma.Sql,
  page: { query: ListDevices; after: Position | null; wanted: number },
): Prisma.Sql {
  const { column } = sortOf(page.query.sort);
  const { order, beyond } = directionOf(page.query.sort);
  const after =
    page.after === null ? Prisma.empty : Prisma.sql`AND uuid ${Prisma.raw(beyond)} ${page.after.uuid}::uuid`;
  return Prisma.sql`
    SELECT ${SELECTED}, ${raw(column)} AS "sortValue" FROM fleet_device WHERE ${filter} AND ${raw(column)} IS NULL ${after}
    ORDER BY ${raw(column)} ${Prisma.raw(order)}, uuid ${Prisma.raw(order)} LIMIT ${page.wanted}`;
}

const SELECTED = Prisma.raw(
  Object.keys(COLUMNS)
    .map((column) => `"${column}"`)
    .join(", "),
);

function raw(column: string): Prisma.Sql {
  return Prisma.raw(`"${column}"`);
}

function sortOf(sort: ListDevices["sort"]): Sort {
  return SORTS[sort.replace(/^-/, "") as keyof typeof SORTS]; // DEVICE_SORTS is these names, plain and with a minus
}

function directionOf(sort: ListDevices["sort"]): { order: "ASC" | "DESC"; beyond: ">" | "<" } {
  return sort.startsWith("-") ? { order: "DESC", beyond: "<" } : { order: "ASC", beyond: ">" };
}

function sortValue(row: SortedRow): string | null {
  return row.sortValue instanceof Date ? row.sortValue.toISOString() : row.sortValue;
}

/** @throws AppError `request.invalid` */
function readCursor(cursor: string, sort: ListDevices["sort"]): Position {
  const [ofSort, value = null, uuid] = decodeCursor(cursor, 3);
  const isTime = sortOf(sort).type === "timestamptz";
  const valid =
    ofSort === sort &&
    typeof uuid === "string" &&
    /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(uuid) &&
    (value === null ? sortOf(sort).nullable : !value.includes("\0")) &&
    (value === null || !isTime || !Number.isNaN(Date.parse(value)));
  if (!valid) throw new AppError("request.invalid", "cursor is not one this list gave out. Start again without it.");
  return { value, uuid };
}

/** Counts up to 10,000 and then stops: see README. */
export async function countDevices(
  db: DbOrTx,
  namespaceId: string,
  input: { query: ListDevices; now: Date },
): Promise<{ total: number; totalIsExact: boolean }> {
  const filter = matching(namespaceId, input.query, { now: input.now });
  const [row] = await db.$queryRaw<{ count: number }[]>`
    SELECT count(*)::int AS count FROM (SELECT 1 FROM fleet_device WHERE ${filter} LIMIT ${COUNTED_EXACTLY + 1}) AS counted`;
  const counted = row?.count ?? 0;
  return { total: Math.min(counted, COUNTED_EXACTLY), totalIsExact: counted <= COUNTED_EXACTLY };
}

type FacetRow = { value: string; count: number };

/** Each dimension is counted under all other filters (see README). */
export async function countFacets(
  db: DbOrTx,
  namespaceId: string,
  input: { query: ListDevices; now: Date },
): Promise<DeviceFacets> {
  const under = (except: "status" | "certificate" | "hardware" | "mender") =>
    matching(namespaceId, input.query, { now: input.now, except });
  const [status, certificate, hardware, mender] = await Promise.all([
    db.$queryRaw<FacetRow[]>`
      SELECT status AS value, count(*)::int AS count FROM fleet_device WHERE ${under("status")} GROUP BY status ORDER BY 1`,
    db.$queryRaw<FacetRow[]>`
      SELECT ${certificateStateAt(input.now)} AS value, count(*)::int AS count FROM fleet_device
      WHERE ${under("certificate")} AND "certificateState" IS NOT NULL GROUP BY 1 ORDER BY 1`,
    db.$queryRaw<FacetRow[]>`
      SELECT hardware AS value, count(DISTINCT uuid)::int AS count FROM fleet_device, unnest("hardwareIds") AS hardware
      WHERE ${under("hardware")} GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT ${FACET_VALUES}`,
    db.$queryRaw<FacetRow[]>`
      SELECT "menderStatus" AS value, count(*)::int AS count FROM fleet_device
      WHERE ${under("mender")} AND "menderStatus" IS NOT NULL GROUP BY 1 ORDER BY 1`,
  ]);
  return { status, certificate, hardware, mender };
}

export async function listActivityPage(
  db: DbOrTx,
  device: { namespaceId: string; deviceUuid: string },
  page: { limit: number; cursor?: string | undefined; q?: string | undefined },
): Promise<Page<Activity>> {
  const after = page.cursor === undefined ? null : activityCursor(page.cursor);
  const of: Prisma.FleetActivityWhereInput = {
    ...device,
    ...(page.q === undefined ? {} : { text: { contains: escapeLike(page.q), mode: "insensitive" } }),
  };
  const [rows, total] = await Promise.all([
    db.fleetActivity.findMany({
      where: { ...of, ...(after === null ? {} : { id: { lt: after } }) },
      orderBy: { id: "desc" },
      take: page.limit + 1,
      select: { id: true, at: true, kind: true, text: true, detail: true },
    }),
    db.fleetActivity.count({ where: of }),
  ]);
  const shown = rows.slice(0, page.limit);
  const last = shown.at(-1);
  return {
    data: shown.map((row) => Activity.parse({ ...row, id: row.id.toString(), at: row.at.toISOString() })),
    nextCursor: rows.length > page.limit && last !== undefined ? encodeCursor([last.id.toString()]) : null,
    total,
    totalIsExact: true,
  };
}

function activityCursor(cursor: string): bigint {
  const [id] = decodeCursor(cursor, 1);
  if (typeof id === "string" && /^\d{1,18}$/.test(id)) return BigInt(id);
  throw new AppError("request.invalid", "cursor is not one this list gave out. Start again without it.");
}

export type FleetCounts = {
  total: number;
  seenLastHour: number;
  seenLastDay: number;
  seenLastWeek: number;
  byStatus: { value: string; count: number }[];
  failing: { count: number; since: Date | null };
  /** Allowed certificates that end within 30 days, and those that have ended. */
  expiring: number;
  expired: number;
};

type SeenRow = Pick<FleetCounts, "seenLastHour" | "seenLastDay" | "seenLastWeek" | "expiring" | "expired"> & {
  failingSince: Date | null;
};

export async function countFleetRows(db: DbOrTx, namespaceId: string, now: Date): Promise<FleetCounts> {
  const [byStatus, [row]] = await Promise.all([
    db.$queryRaw<FacetRow[]>`
      SELECT status AS value, count(*)::int AS count FROM fleet_device WHERE "namespaceId" = ${namespaceId}
      GROUP BY status ORDER BY 1`,
    db.$queryRaw<SeenRow[]>`
      SELECT count(*) FILTER (WHERE "lastSeenAt" > ${now}::timestamptz - interval '1 hour')::int AS "seenLastHour",
        count(*) FILTER (WHERE "lastSeenAt" > ${now}::timestamptz - interval '1 day')::int AS "seenLastDay",
        count(*) FILTER (WHERE "lastSeenAt" > ${now}::timestamptz - interval '7 days')::int AS "seenLastWeek",
        min("statusAt") FILTER (WHERE status = 'failed') AS "failingSince",
        count(*) FILTER (WHERE ${certificateStateAt(now)} = 'allowed'
          AND "certificateNotAfter" <= ${now}::timestamptz + interval '30 days')::int AS expiring,
        count(*) FILTER (WHERE ${certificateStateAt(now)} = 'expired')::int AS expired
      FROM fleet_device WHERE "namespaceId" = ${namespaceId}`,
  ]);
  return {
    // The sum of its parts, so that the numbers on one page agree even while devices change status.
    total: byStatus.reduce((sum, { count }) => sum + count, 0),
    seenLastHour: row?.seenLastHour ?? 0,
    seenLastDay: row?.seenLastDay ?? 0,
    seenLastWeek: row?.seenLastWeek ?? 0,
    byStatus,
    failing: { count: byStatus.find(({ value }) => value === "failed")?.count ?? 0, since: row?.failingSince ?? null },
    expiring: row?.expiring ?? 0,
    expired: row?.expired ?? 0,
  };
}

export async function readEligibility(db: DbOrTx, namespaceId: string, uuids: readonly string[]) {
  return db.$queryRaw<{ uuid: string; name: string; certificateState: string | null; ecus: unknown }[]>`
    SELECT uuid, name, ${certificateStateAt(null)} AS "certificateState", ecus FROM fleet_device
    WHERE "namespaceId" = ${namespaceId} AND uuid = ANY(${[...uuids]}::uuid[])`;
}

/** @returns the state at `now`: an allowed certificate past its end is expired */
export function effectiveState(
  row: { certificateState: string | null; certificateNotAfter: Date | null },
  now: Date,
): CertificateState | null {
  if (row.certificateState === null) return null;
  const ended = row.certificateNotAfter !== null && row.certificateNotAfter <= now;
  return row.certificateState === "allowed" && ended ? "expired" : CertificateState.parse(row.certificateState);
}

/** For each file name: on how many devices it is installed, and to how many it is assigned. */
export async function countUses(
  db: DbOrTx,
  namespaceId: string,
  filenames: readonly string[],
): Promise<{ filename: string; installedOn: number; assignedTo: number }[]> {
  return db.$queryRaw`
    SELECT f.filename,
      (SELECT count(*)::int FROM fleet_device WHERE "namespaceId" = ${namespaceId}
        AND "installedFilenames" @> ARRAY[f.filename]) AS "installedOn",
      (SELECT count(*)::int FROM fleet_device WHERE "namespaceId" = ${namespaceId}
        AND "assignedFilenames" @> ARRAY[f.filename]) AS "assignedTo"
    FROM unnest(${[...filenames]}::text[]) AS f(filename)`;
}

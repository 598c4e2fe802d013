import type { ListDevices } from "#lib/contracts/console/devices.ts";
import { Prisma } from "#lib/db/generated/client.ts";
import { escapeLike } from "#lib/db/like.ts";
import { storableText } from "#lib/domain/storable-text.ts";

type Dimension = "status" | "certificate" | "hardware" | "mender";

/** The condition that a device must meet to be in a list. `except` leaves one dimension out, for its facet. */
export function matching(
  namespaceId: string,
  query: ListDevices,
  options: { now: Date; except?: Dimension },
): Prisma.Sql {
  const conditions = [Prisma.sql`"namespaceId" = ${namespaceId}`];
  if (query.status !== undefined && options.except !== "status")
    conditions.push(isOneOf(Prisma.sql`status`, query.status));
  if (query.certificate !== undefined && options.except !== "certificate")
    conditions.push(isOneOf(certificateStateAt(options.now), query.certificate));
  if (query.hardware !== undefined && options.except !== "hardware")
    conditions.push(Prisma.sql`"hardwareIds" && ${query.hardware.map((id) => storableText(id))}::text[]`);
  if (query.mender !== undefined && options.except !== "mender")
    conditions.push(isOneOf(Prisma.sql`"menderStatus"`, query.mender));
  if (query.image !== undefined)
    conditions.push(Prisma.sql`"installedFilenames" @> ARRAY[${storableText(query.image)}]::text[]`);
  if (query.simulated !== undefined) conditions.push(Prisma.sql`simulated = ${query.simulated === "true"}`);
  const search = query.q?.trim() ?? "";
  if (search !== "") conditions.push(contains(search));
  return Prisma.join(conditions, " AND ");
}

/** The certificate's state at `now`, or by the database's clock: `expired` is never stored, time makes it so. */
export function certificateStateAt(now: Date | null): Prisma.Sql {
  return Prisma.sql`(CASE WHEN "certificateState" = 'allowed' AND "certificateNotAfter" <= coalesce(${now}::timestamptz, now())
    THEN 'expired' ELSE "certificateState" END)`;
}

/** The subquery of those devices that have an ECU of one of these hardware ids, for searches of other areas over their own rows. */
export function uuidsWithHardware(namespaceId: string, hardwareIds: readonly string[]): Prisma.Sql {
  return Prisma.sql`SELECT f.uuid FROM fleet_device AS f WHERE f."namespaceId" = ${namespaceId}
    AND f."hardwareIds" && ${hardwareIds.map((id) => storableText(id))}::text[]`;
}

function isOneOf(expression: Prisma.Sql, values: readonly string[]): Prisma.Sql {
  return Prisma.sql`${expression} = ANY(${[...values]}::text[])`;
}

/** Name or device id contains it, or the uuid begins with it; `%`, `_` and `\` mean themselves. */
function contains(search: string): Prisma.Sql {
  const escaped = escapeLike(search);
  return Prisma.sql`(name ILIKE ${`%${escaped}%`} OR "deviceId" ILIKE ${`%${escaped}%`}
    OR uuid::text LIKE ${`${escaped.toLowerCase()}%`})`;
}

import { z } from "zod";
import { OtaUuid } from "#lib/contracts/ota/common.ts";
import { DEVICE_STATUSES } from "#lib/contracts/ota/device-registry.ts";

/* How the device registry is searched and counted (contracts/device-registry.md sections 2 and 2.1), in the words of both generations. */

const MAX_IDS = 10_000;
const MAX_PAIRS = 50;
const SORT_NAMES = ["name", "createdAt", "deviceId", "uuid", "activatedAt", "lastSeen"] as const;
const lowerCased = (names: readonly string[]) => (value: unknown) =>
  typeof value === "string" ? (names.find((name) => name.toLowerCase() === value.toLowerCase()) ?? value) : value;
const Flag = z.enum(["true", "false"]).transform((text) => text === "true");
const Instant = z.iso.datetime({ offset: true }).transform((text) => new Date(text));
const Plain = (max: number) =>
  z
    .string()
    .max(max)
    .refine((text) => !text.includes("\0"), "must not contain NUL");

const HardwareIds = Plain(5_000)
  .transform((text) => text.split(",").filter((id) => id !== ""))
  .pipe(z.array(z.string().max(200)).min(1).max(MAX_PAIRS));

const TagPairs = z
  .string()
  .max(15_000)
  .transform((text) => text.split(","))
  .pipe(z.array(z.string().regex(/^[\w-]{1,20}=[\w\-/ ]{1,254}$/, "must be pairs such as country=DE")).max(MAX_PAIRS))
  .transform((pairs) =>
    pairs.map((pair) => ({ tagId: pair.slice(0, pair.indexOf("=")), value: pair.slice(pair.indexOf("=") + 1) })),
  );

const Parameters = z.object({
  deviceId: Plain(200).optional(),
  nameContains: Plain(200).optional(),
  notSeenSinceHours: z.coerce.number().int().min(0).max(1_000_000).optional(),
  grouped: Flag.optional(),
  groupType: z.enum(["static", "dynamic"]).optional(),
  groupId: OtaUuid.optional(),
  status: z.enum(DEVICE_STATUSES).optional(),
  hibernated: Flag.optional(),
  activatedAfter: Instant.optional(),
  activatedBefore: Instant.optional(),
  lastSeenStart: Instant.optional(),
  lastSeenEnd: Instant.optional(),
  createdAtStart: Instant.optional(),
  createdAtEnd: Instant.optional(),
  hardwareIds: HardwareIds.optional(),
  tags: TagPairs.optional(),
  sortBy: z.preprocess(lowerCased(SORT_NAMES), z.enum(SORT_NAMES)).default("name"),
  sortDirection: z.preprocess(lowerCased(["asc", "desc"]), z.enum(["asc", "desc"])).optional(),
});
type Name = keyof z.infer<typeof Parameters>;

/** What the contract does not combine. */
const EXCLUDED: Partial<Record<Name, readonly Name[]>> = {
  deviceId: ["groupId", "nameContains", "notSeenSinceHours"],
  grouped: ["groupId", "notSeenSinceHours"],
  tags: [
    "deviceId",
    "nameContains",
    "grouped",
    "groupType",
    "hardwareIds",
    "activatedAfter",
    "activatedBefore",
    "lastSeenStart",
    "lastSeenEnd",
  ],
};

export const SearchDevices = Parameters.superRefine((query, check) => {
  for (const [name, others] of Object.entries(EXCLUDED) as [Name, readonly Name[]][]) {
    const hit = query[name] === undefined ? undefined : others.find((other) => query[other] !== undefined);
    if (hit !== undefined) check.addIssue({ code: "custom", path: [name], message: `can't be combined with ${hit}` });
  }
  if (query.groupType !== undefined && query.grouped === undefined)
    check.addIssue({ code: "custom", path: ["groupType"], message: "needs grouped" });
});
export type SearchDevices = z.infer<typeof SearchDevices>;

/** The body that turns the search into a look-up. */
export const DevicesByIds = z
  .object({
    oemIds: z.array(Plain(200)).max(MAX_IDS).nullish(),
    deviceUuids: z.array(OtaUuid).max(MAX_IDS).nullish(),
  })
  .transform(({ oemIds, deviceUuids }) => ({ oemIds: oemIds ?? [], deviceUuids: deviceUuids ?? [] }));
export type DevicesByIds = z.infer<typeof DevicesByIds>;

const Seconds = z.coerce.number().int().min(0).max(1_000_000_000);
export const CountDevices = z.object({
  recentSinceSecs: Seconds.default(604_800),
  offlineSinceSecs: Seconds.default(300),
});

export const InstallationStatsQuery = z.object({
  correlationId: Plain(1_000),
  reportLevel: z.enum(["device", "ecu"]).default("device"),
});

export const ActiveBetween = z.object({ start: Instant, end: Instant });

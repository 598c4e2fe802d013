import { z } from "zod";
import { OtaUuid } from "#lib/contracts/ota/common.ts";
import { Text } from "#lib/contracts/ota/device-registry.ts";
import { isTagId } from "#lib/domain/group-expression.ts";

/* What the device registry takes and gives about groups, tags and package lists (contracts/device-registry.md sections 5 to 7). */

export const UPLOAD_MAX_BYTES = 16_777_216;
export const TAG_VALUE_MAX_LENGTH = 254;
/** Each is a test of every new device. */
export const MAX_SMART_GROUPS = 500;

export const GroupName = Text(100).min(2);
export const GroupType = z.enum(["static", "dynamic"]);
export type GroupType = z.infer<typeof GroupType>;

/** The expression is bounded by its parser. */
export const CreateGroup = z.object({ name: GroupName, groupType: GroupType, expression: z.string().nullish() });

export const ListGroups = z.object({
  sortBy: z.enum(["name", "createdAt"]).default("name"),
  nameContains: Text(100).optional(),
});

export type DeviceGroup = {
  id: string;
  groupName: string;
  namespace: string;
  createdAt: string;
  groupType: GroupType;
  expression: string | null;
};

const csvOfIds = (max: number) =>
  z
    .string()
    .max(max * 40)
    .transform((text) => text.split(",").filter((id) => id !== ""))
    .pipe(z.array(OtaUuid).max(max));
export const MembershipQuery = z.object({ deviceUuids: csvOfIds(500) });
export const GroupCountQuery = z.object({ groupIds: csvOfIds(100) });

export const TagId = z.string().refine(isTagId, "must be 1 to 20 letters, digits, blanks, _ or -");
export const RenameTag = z.object({ tagId: TagId });
export const TagValue = Text(TAG_VALUE_MAX_LENGTH);
export const SetTag = z.object({ tagId: TagId, tagValue: TagValue });

const PackageId = z.object({ name: Text(200), version: Text(200) });
export const PackageListItem = z.object({
  packageId: PackageId,
  comment: z
    .string()
    .max(2_000)
    .refine((text) => !text.includes("\0") && text.isWellFormed(), "must not contain NUL or half of a surrogate pair"),
});
export type PackageListItem = z.infer<typeof PackageListItem>;

export const AffectedBy = z.array(PackageId).max(100);

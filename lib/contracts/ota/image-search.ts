import { z } from "zod";
import { OtaPageQuery } from "#lib/contracts/ota/common.ts";
import { ImageUri } from "#lib/contracts/ota/reposerver.ts";
import { storableText } from "#lib/domain/storable-text.ts";

/* Search over own and delegated images, second version (contracts/reposerver-keyserver.md section 9). */

const Text = z
  .string()
  .max(253)
  .transform((text) => storableText(text));
const Texts = z.array(Text).max(1_000);
/** Several in one query parameter. */
const List = z
  .string()
  .max(20_000)
  .transform((text) => text.split(",").filter((part) => part !== ""))
  .pipe(Texts);
const Flag = z.stringbool({ truthy: ["true"], falsy: ["false"] });

/** Enumerations are written in any case. */
function anyCase<const T extends string>(values: readonly T[]) {
  return z.string().transform((text, issue): T => {
    const found = values.find((value) => value.toLowerCase() === text.toLowerCase());
    if (found !== undefined) return found;
    issue.addIssue({ code: "custom", message: `must be one of ${values.join(", ")}` });
    return z.NEVER;
  });
}

const SortDirection = anyCase(["Asc", "Desc"]).default("Desc");

export const SearchQuery = OtaPageQuery.extend({
  sortBy: anyCase(["Filename", "CreatedAt"]).default("CreatedAt"),
  sortDirection: SortDirection,
});

/** Body of POST `/search`; absent, it filters nothing. */
export const SearchFilter = z.object({
  origin: Texts.default([]),
  originNot: Text.nullish(),
  nameContains: Text.nullish(),
  name: Text.nullish(),
  version: Text.nullish(),
  hardwareIds: Texts.default([]),
  hashes: Texts.default([]),
  filenames: Texts.default([]),
  hasSBOM: z.boolean().nullish(),
});
export type SearchFilter = z.infer<typeof SearchFilter>;

/** Query of GET `/grouped-search`: the same filters. */
export const GroupedSearchQuery = OtaPageQuery.extend({
  sortBy: anyCase(["Name", "LastVersionAt"]).default("LastVersionAt"),
  sortDirection: SortDirection,
  origin: List.default([]),
  originNot: Text.optional(),
  nameContains: Text.optional(),
  name: Text.optional(),
  version: Text.optional(),
  hardwareIds: List.default([]),
  hashes: List.default([]),
  filenames: List.default([]),
  hasSBOM: Flag.optional(),
});

export const PackageQuery = z.object({ originNot: Text.optional() });

/** Body of PUT `/api/v1/sboms/{filename}`. */
export const PutSbom = z.object({ uri: ImageUri });

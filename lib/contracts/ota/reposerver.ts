import { z } from "zod";
import {
  HardwareId,
  MetadataName,
  TargetFilename as PlainFilename,
  pageOf,
  Sha256,
} from "#lib/contracts/console/common.ts";
import { Image, ListImages } from "#lib/contracts/console/images.ts";
import { OtaChecksum, OtaPageQuery } from "#lib/contracts/ota/common.ts";
import { RepoKeyType } from "#lib/contracts/ota/keyserver.ts";
import type { JsonObject } from "#lib/uptane/json.ts";

/*
 * What the image repository takes and gives (contracts/reposerver-keyserver.md). Unknown fields are dropped. What enters
 * metadata is ASCII or refused, because a device verifies names byte for byte.
 */

const MAX_HARDWARE_IDS = 100;

/** Also a path below `/repo/targets/`: one that a server on the way would rewrite can't be downloaded. */
export const TargetFilename = PlainFilename.refine(
  (name) => name.split("/").every((part) => part !== "" && part !== "."),
  "must not contain empty or dot path segments",
).refine((name) => name !== "__proto__", "can't be used");

/** Body of POST `/user_repo` and `/repo/{repoId}`. */
export const CreateRepo = z.object({ keyType: RepoKeyType.default("ED25519") });

/** Where an image is, as a device or this server may be asked to fetch it; part of metadata, hence ASCII. */
export const ImageUri = z
  .url({ protocol: /^https?$/ })
  .max(2_000)
  .regex(/^[\x21-\x7e]+$/, "may contain printable ASCII characters only");

/** Query of PUT `/targets/{filename}`. `sha256` is ours: bytes of another digest are refused. */
export const PutTargetQuery = z.object({
  name: MetadataName(200),
  version: MetadataName(200),
  hardwareIds: z
    .string()
    .max(20_000)
    .default("")
    .transform((text) => [...new Set(text.split(",").map((part) => part.trim()))].filter((part) => part !== ""))
    .pipe(z.array(HardwareId).max(MAX_HARDWARE_IDS)),
  targetFormat: z.enum(["BINARY", "OSTREE"]).default("BINARY"),
  sha256: Sha256.optional(),
  fileUri: ImageUri.optional(),
});

const HardwareIds = z.array(HardwareId).max(MAX_HARDWARE_IDS);
/** Whose members are checked where they enter metadata. */
const FreeObject = z.custom<JsonObject>(
  (value) => typeof value === "object" && value !== null && !Array.isArray(value),
  "must be an object",
);

/** Body of POST `/targets/{filename}`: an image whose bytes are elsewhere. */
export const PostTarget = z
  .object({
    uri: ImageUri.nullish(),
    checksum: OtaChecksum,
    length: z.number().int().min(0).max(Number.MAX_SAFE_INTEGER),
    targetFormat: z.enum(["BINARY", "OSTREE"]).nullish(),
    name: MetadataName(200).nullish(),
    version: MetadataName(200).nullish(),
    hardwareIds: HardwareIds.default([]),
  })
  .transform(({ checksum, uri, targetFormat, name, version, ...rest }) => ({
    ...rest,
    sha256: checksum.hash,
    uri: uri ?? null,
    format: targetFormat ?? null,
    name: name ?? null,
    version: version ?? null,
  }));

/** Body of PATCH `/targets/{filename}`. */
export const PatchTarget = z.object({
  uri: ImageUri.optional(),
  hardwareIds: HardwareIds,
  proprietaryCustom: FreeObject.optional(),
});

/** Body of PATCH `/proprietary-custom/{filename}`. */
export const ProprietaryCustom = FreeObject;

const Instant = z.iso.datetime({ offset: true }).transform((text) => new Date(text));

/** `custom` of an image in a list that was signed elsewhere; its other members are the publisher's own. */
export const SignedCustom = z.object({
  name: MetadataName(200),
  version: MetadataName(200),
  hardwareIds: HardwareIds,
  targetFormat: z
    .enum(["BINARY", "OSTREE"])
    .nullish()
    .transform((format) => format ?? null),
  uri: ImageUri.nullish().transform((uri) => uri ?? null),
  createdAt: Instant,
  updatedAt: Instant,
  cliUploaded: z
    .boolean()
    .nullish()
    .transform((value) => value ?? null),
});
export type SignedCustom = z.infer<typeof SignedCustom>;

/** Body of PUT `/targets/expire/not-before`; metadata has years of four digits. */
export const ExpireNotBefore = z.object({
  expireAt: Instant.refine((instant) => instant.getUTCFullYear() >= 1970 && instant.getUTCFullYear() <= 9998, {
    message: "must lie between the years 1970 and 9998",
  }),
});

/** Without limit in the original; bounded here. */
export const TargetItemsQuery = OtaPageQuery.extend({ nameContains: z.string().max(253).optional() });

/** Free text of people: never part of metadata. */
export const Comment = z.object({
  comment: z
    .string()
    .max(10_000)
    .transform((text) => text.replaceAll("\0", "")),
});
export const CommentFilter = z.object({ nameContains: z.string().max(253).optional() });
export const CommentFilenames = z.array(z.string().max(253)).max(10_000);

/*
 * Our extension below `…/gatehouse/`, which other image repositories answer with 404: pages of images with what is known
 * of their verification. File names are one percent-encoded path segment there.
 */
export const RepoImage = Image.omit({ installedOn: true, assignedTo: true });
export type RepoImage = z.infer<typeof RepoImage>;
export const RepoImagePage = pageOf(RepoImage);
export const ListRepoImages = ListImages;

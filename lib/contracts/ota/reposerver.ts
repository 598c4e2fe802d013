import { z } from "zod";
import {
  HardwareId,
  MetadataName,
  TargetFilename as PlainFilename,
  pageOf,
  Sha256,
} from "#lib/contracts/console/common.ts";
import { Image, ListImages } from "#lib/contracts/console/images.ts";

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

/** Body of POST `/user_repo`. */
export const CreateRepo = z.object({ keyType: z.enum(["RSA", "ED25519", "ECPRIME256V1"]).default("ED25519") });

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
});

/** Without limit in the original; bounded here. */
export const TargetItemsQuery = z.object({
  nameContains: z.string().max(253).optional(),
  offset: z.coerce.number().int().min(0).max(1_000_000_000).default(0),
  limit: z.coerce
    .number()
    .int()
    .min(0)
    .default(50)
    .transform((limit) => Math.min(limit, 1_000)),
});

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

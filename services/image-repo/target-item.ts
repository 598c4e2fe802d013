import type { JsonObject } from "#lib/uptane/json.ts";
import { type ImageTargetInput, imageCustom } from "#lib/uptane/metadata.ts";
import type { ImageRow } from "./store.ts";

/** An image as the builder of targets wants it. */
export function toTargetInput(image: ImageRow): ImageTargetInput {
  return { ...image, targetFormat: image.format, extraCustom: image.proprietary };
}

/** An image as `target_items` and PATCH answer it. @see contracts/reposerver-keyserver.md section 3 */
export function toTargetItem(image: ImageRow): JsonObject {
  return { hashes: { sha256: image.sha256 }, length: image.length, custom: imageCustom(toTargetInput(image)) };
}

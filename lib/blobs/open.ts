import { join } from "node:path";
import { createFolderBlobs } from "#lib/blobs/folder.ts";
import { createS3Blobs } from "#lib/blobs/s3.ts";
import type { BlobStore } from "#lib/blobs/store.ts";
import { type Config, requireSecret, type Secrets } from "#lib/config/load.ts";
import { AppError } from "#lib/errors/app-error.ts";

/**
 * The blob store of this configuration: a bucket when one is set, else a folder in DATA_DIR.
 *
 * @throws AppError `config.invalid` when the bucket's keys are missing
 */
export function openBlobs(config: Config, secrets: Secrets = {}): BlobStore & { close(): void } {
  if (config.S3_BUCKET === undefined) {
    return { ...createFolderBlobs(join(config.DATA_DIR, "blobs")), close: () => undefined };
  }
  if (config.S3_ACCESS_KEY_ID === undefined) throw new AppError("config.invalid", "S3_ACCESS_KEY_ID is not set.");
  return createS3Blobs({
    endpoint: config.S3_ENDPOINT,
    region: config.S3_REGION,
    bucket: config.S3_BUCKET,
    accessKeyId: config.S3_ACCESS_KEY_ID,
    secretAccessKey: requireSecret(secrets, "S3_SECRET_ACCESS_KEY"),
    forcePathStyle: config.S3_FORCE_PATH_STYLE === "on",
    prefix: config.S3_PREFIX ?? "",
  });
}

import { join } from "node:path";
import { createFolderBlobs } from "#lib/blobs/folder.ts";
import type { BlobStore } from "#lib/blobs/store.ts";
import type { Config } from "#lib/config/load.ts";

/** The blob store of this configuration. */
export function openBlobs(config: Config): BlobStore {
  return createFolderBlobs(join(config.DATA_DIR, "blobs"));
}

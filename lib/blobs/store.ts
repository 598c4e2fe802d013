import type { Readable } from "node:stream";
import type { BlobKey } from "#lib/blobs/keys.ts";

/** Bytes that were received whole and are durable, but not yet under their key. One of the two calls must follow. */
export type StagedBlob = {
  /** Lower-case hex SHA-256 of the bytes. */
  readonly sha256: string;
  readonly length: number;
  /**
   * Puts them under their key, durably, before it returns: under their SHA-256, or under the name that is given. What was there is
   * replaced at once.
   */
  keep(name?: BlobKey): Promise<void>;
  discard(): Promise<void>;
};

export type StageLimits = { readonly maxBytes: number; readonly expectSha256?: string | undefined };

/** Both ends included, as in HTTP. */
export type ByteRange = { readonly start: number; readonly end: number };

/**
 * Where images are kept, by the SHA-256 of their content, and what has a name of its own. Nothing half-written is ever under a key.
 *
 * Keys are shared by whoever stores the same bytes, so `keep` and `remove` of one key must be serialised by the caller.
 */
export type BlobStore = {
  /** @throws AppError `request.too_large` | `uptane.hash_mismatch` | `internal.unavailable` (no space); nothing is left then */
  stage(source: AsyncIterable<Uint8Array>, limits: StageLimits): Promise<StagedBlob>;
  /** @returns null when there is no such key */
  open(key: BlobKey, range?: ByteRange): Promise<{ stream: Readable; length: number } | null>;
  stat(key: BlobKey): Promise<{ length: number; modifiedAt: Date } | null>;
  /** No key, no error. */
  remove(key: BlobKey): Promise<void>;
  /** Keys that are digests; or names below a first part. */
  keysOlderThan(limit: Date, below?: string): AsyncIterable<BlobKey>;
  /** Removes what uploads that never ended left behind. @returns how many */
  sweepStaged(olderThan: Date): Promise<number>;
  /** @throws AppError `internal.unavailable` when it does not answer or can't be used */
  check(): Promise<void>;
};

/** Options of a transaction in which bytes get their key: object storage copies a large blob for a while. */
export const KEEPING = { timeout: 300_000 };

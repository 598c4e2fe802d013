import type { Readable } from "node:stream";

/** Bytes that were received whole and are durable, but not yet under their key. One of the two calls must follow. */
export type StagedBlob = {
  /** Lower-case hex SHA-256 of the bytes; also their key. */
  readonly sha256: string;
  readonly length: number;
  /** Puts them under their key, durably, before it returns. What was there under the key has the same content. */
  keep(): Promise<void>;
  discard(): Promise<void>;
};

export type StageLimits = { readonly maxBytes: number; readonly expectSha256?: string | undefined };

/** Both ends included, as in HTTP. */
export type ByteRange = { readonly start: number; readonly end: number };

/**
 * Where images are kept, by the SHA-256 of their content. Nothing half-written is ever under a key.
 *
 * Keys are shared by whoever stores the same bytes, so `keep` and `remove` of one key must be serialised by the caller.
 */
export type BlobStore = {
  /** @throws AppError `request.too_large` | `uptane.hash_mismatch` | `internal.unavailable` (no space); nothing is left then */
  stage(source: AsyncIterable<Uint8Array>, limits: StageLimits): Promise<StagedBlob>;
  /** @returns null when there is no such key */
  open(key: string, range?: ByteRange): Promise<{ stream: Readable; length: number } | null>;
  stat(key: string): Promise<{ length: number; modifiedAt: Date } | null>;
  /** No key, no error. */
  remove(key: string): Promise<void>;
  keysOlderThan(limit: Date): AsyncIterable<string>;
  /** Removes what uploads that never ended left behind. @returns how many */
  sweepStaged(olderThan: Date): Promise<number>;
};

import { randomUUID } from "node:crypto";
import { Readable } from "node:stream";
import {
  AbortMultipartUploadCommand,
  CopyObjectCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
  S3ServiceException,
} from "@aws-sdk/client-s3";
import { Upload } from "@aws-sdk/lib-storage";
import { isContentKey, STAGED } from "#lib/blobs/keys.ts";
import { measuring } from "#lib/blobs/measure.ts";
import type { BlobStore, StagedBlob, StageLimits } from "#lib/blobs/store.ts";
import { AppError } from "#lib/errors/app-error.ts";

export type S3Place = {
  /** Undefined for Amazon's own. */
  readonly endpoint: string | undefined;
  readonly region: string;
  readonly bucket: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly forcePathStyle: boolean;
  /** In front of every key, without a slash at its end; empty for none. */
  readonly prefix: string;
};

/** Up to here an upload is held in memory and put under its key at once; the least that a part may have. */
const SMALL_BYTES = 5 * 1_048_576;
const PART_BYTES = 8 * 1_048_576;
const PARTS_AT_ONCE = 2;
/** What can be copied in one request. */
const COPY_MAX_BYTES = 5_000_000_000;
const CONNECT_WITHIN_MS = 5_000;
/** Some servers say nothing until they have copied a large object. */
const SILENT_FOR_MS = 240_000;
/** How servers name what is not there. */
const ABSENT: ReadonlySet<string> = new Set(["NoSuchKey", "NotFound", "NoSuchUpload"]);

/**
 * Blobs in S3-compatible storage: `blobs/<sha256>` by content, others by their names, longer uploads in `staged/`. An object there
 * appears whole or not at all, and so do blobs: what is longer than a part waits under another key and is copied by the storage.
 */
export function createS3Blobs(place: S3Place): BlobStore & { close(): void } {
  const client = new S3Client({
    ...(place.endpoint === undefined ? {} : { endpoint: place.endpoint }),
    region: place.region,
    forcePathStyle: place.forcePathStyle,
    credentials: { accessKeyId: place.accessKeyId, secretAccessKey: place.secretAccessKey },
    // NOTE: by default the client adds checksums in a form that some compatible servers store as part of the content.
    requestChecksumCalculation: "WHEN_REQUIRED",
    responseChecksumValidation: "WHEN_REQUIRED",
    requestHandler: { connectionTimeout: CONNECT_WITHIN_MS, socketTimeout: SILENT_FOR_MS },
  });
  const prefix = place.prefix === "" ? "" : `${place.prefix}/`;
  const storage: Storage = {
    client,
    bucket: place.bucket,
    prefix,
    addressOf: (key) => ({
      Bucket: place.bucket,
      Key: isContentKey(key) ? `${prefix}blobs/${key}` : `${prefix}${key}`,
    }),
  };
  return {
    stage: (source, limits) => stage(storage, source, limits),
    open: (key, range) => openObject(storage, key, range),
    async stat(key) {
      const facts = await found(client.send(new HeadObjectCommand(storage.addressOf(key))));
      if (facts === null) return null;
      return { length: facts.ContentLength ?? 0, modifiedAt: facts.LastModified ?? new Date(0) };
    },
    async remove(key) {
      await answered(client.send(new DeleteObjectCommand(storage.addressOf(key))));
    },
    async *keysOlderThan(limit, below) {
      const start = below === undefined ? `${prefix}blobs/` : prefix;
      for await (const key of listOlder(storage, `${prefix}${below ?? "blobs"}/`, limit)) yield key.slice(start.length);
    },
    sweepStaged: (olderThan) => sweepStaged(storage, olderThan),
    async check() {
      await answered(client.send(new HeadBucketCommand({ Bucket: place.bucket })));
    },
    close: () => client.destroy(),
  };
}

type Storage = {
  readonly client: S3Client;
  readonly bucket: string;
  readonly prefix: string;
  addressOf(key: string): { Bucket: string; Key: string };
};

async function stage(storage: Storage, source: AsyncIterable<Uint8Array>, limits: StageLimits): Promise<StagedBlob> {
  const measured = measuring(source, { ...limits, maxBytes: Math.min(limits.maxBytes, COPY_MAX_BYTES) });
  const head: Uint8Array[] = [];
  let headBytes = 0;
  while (headBytes <= SMALL_BYTES) {
    const next = await measured.bytes.next();
    if (next.done === true) return stagedInMemory(storage, Buffer.concat(head), measured.result());
    head.push(next.value);
    headBytes += next.value.byteLength;
  }
  const waiting = { Bucket: storage.bucket, Key: `${storage.prefix}${STAGED}/${randomUUID()}` };
  let refusal: { cause: unknown } | null = null;
  async function* whole(): AsyncGenerator<Uint8Array> {
    try {
      yield* head.splice(0);
      yield* measured.bytes;
    } catch (cause) {
      refusal = { cause };
      throw cause;
    }
  }
  const upload = new Upload({
    client: storage.client,
    params: { ...waiting, Body: Readable.from(whole(), { objectMode: false }) },
    partSize: PART_BYTES,
    queueSize: PARTS_AT_ONCE,
    leavePartsOnError: false,
  });
  await upload.done().catch((cause: unknown) => {
    // What was wrong with the bytes matters more than how the storage took that they ended.
    throw refusal === null ? unavailable(cause) : refusal.cause;
  });
  return stagedInStorage(storage, waiting, measured.result());
}

function stagedInMemory(storage: Storage, bytes: Buffer, facts: { sha256: string; length: number }): StagedBlob {
  return {
    ...facts,
    async keep(name = facts.sha256) {
      const put = new PutObjectCommand({ ...storage.addressOf(name), Body: bytes, ContentLength: bytes.length });
      await answered(storage.client.send(put));
    },
    discard: async () => undefined,
  };
}

function stagedInStorage(
  storage: Storage,
  waiting: { Bucket: string; Key: string },
  facts: { sha256: string; length: number },
): StagedBlob {
  const discard = async () => {
    await answered(storage.client.send(new DeleteObjectCommand(waiting)));
  };
  return {
    ...facts,
    async keep(name = facts.sha256) {
      const source = `${storage.bucket}/${waiting.Key}`;
      await answered(storage.client.send(new CopyObjectCommand({ ...storage.addressOf(name), CopySource: source })));
    },
    discard,
  };
}

async function openObject(
  storage: Storage,
  key: string,
  range: { start: number; end: number } | undefined,
): Promise<{ stream: Readable; length: number } | null> {
  const get = new GetObjectCommand({
    ...storage.addressOf(key),
    ...(range === undefined ? {} : { Range: `bytes=${range.start}-${range.end}` }),
  });
  const object = await found(storage.client.send(get));
  if (object === null) return null;
  if (!(object.Body instanceof Readable) || object.ContentLength === undefined) {
    throw new AppError("internal.error", "The object storage's answer has no stream.");
  }
  return { stream: object.Body, length: object.ContentLength };
}

async function* listOlder(storage: Storage, start: string, limit: Date): AsyncGenerator<string> {
  let ContinuationToken: string | undefined;
  do {
    const list = new ListObjectsV2Command({ Bucket: storage.bucket, Prefix: start, ContinuationToken });
    const page = await answered(storage.client.send(list));
    for (const { Key, LastModified } of page.Contents ?? []) {
      if (Key !== undefined && LastModified !== undefined && LastModified < limit) yield Key;
    }
    ContinuationToken = page.NextContinuationToken;
  } while (ContinuationToken !== undefined);
}

async function sweepStaged(storage: Storage, olderThan: Date): Promise<number> {
  let removed = 0;
  for await (const Key of listOlder(storage, `${storage.prefix}${STAGED}/`, olderThan)) {
    await answered(storage.client.send(new DeleteObjectCommand({ Bucket: storage.bucket, Key })));
    removed += 1;
  }
  for (const { Key, UploadId } of await unfinishedUploads(storage, olderThan)) {
    await found(storage.client.send(new AbortMultipartUploadCommand({ Bucket: storage.bucket, Key, UploadId })));
    removed += 1;
  }
  return removed;
}

/** At most a thousand; the next sweep takes the next. Storage that can't list them has rules of its own for them. */
async function unfinishedUploads(storage: Storage, olderThan: Date): Promise<{ Key: string; UploadId: string }[]> {
  const list = new ListMultipartUploadsCommand({ Bucket: storage.bucket, Prefix: `${storage.prefix}${STAGED}/` });
  const listed = await storage.client.send(list).catch((cause: unknown) => {
    if (statusOf(cause) === 501) return null;
    throw unavailable(cause);
  });
  return (listed?.Uploads ?? []).flatMap(({ Key, UploadId, Initiated }) =>
    Key !== undefined && UploadId !== undefined && Initiated !== undefined && Initiated < olderThan
      ? [{ Key, UploadId }]
      : [],
  );
}

/** @throws AppError `internal.unavailable` for whatever the storage has against it */
async function answered<T>(reply: Promise<T>): Promise<T> {
  return reply.catch((cause: unknown) => {
    throw unavailable(cause);
  });
}

/** @returns null when there is no such object */
async function found<T>(reply: Promise<T>): Promise<T | null> {
  return reply.catch((cause: unknown) => {
    if (cause instanceof S3ServiceException && ABSENT.has(cause.name)) return null;
    throw unavailable(cause);
  });
}

function statusOf(error: unknown): number | undefined {
  return error instanceof S3ServiceException ? error.$metadata.httpStatusCode : undefined;
}

function unavailable(cause: unknown): AppError {
  return new AppError("internal.unavailable", "The object storage does not answer, or refuses.", { cause });
}

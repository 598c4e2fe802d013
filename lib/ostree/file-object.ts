import type { Hash } from "node:crypto";
import { createInflateRaw } from "node:zlib";
import { AppError } from "#lib/errors/app-error.ts";
import { Container, withOffsets } from "./gvariant.ts";

export type FileHeader = {
  /** What the file's checksum begins with. */
  readonly canonical: Buffer;
  /** Where the compressed content begins. */
  readonly headerBytes: number;
  readonly contentBytes: bigint;
  readonly isSymlink: boolean;
};

/** Length and padding in front of the header's value. */
const FRAME_BYTES = 8;
/** Size, user, group, mode and device, in front of what is of variable size. */
const FIXED_BYTES = 24;
/** Linux limits what a file's extended attributes may hold together to 64 KiB. */
const HEADER_MAX_BYTES = 262_144;

/**
 * Reads the header `(tuuuusa(ayay))` of a `.filez`, and makes of it the header `(uuuusa(ayay))` of the file's canonical form: without
 * the size, framed in the same way.
 *
 * @returns null while there are too few bytes
 * @throws AppError `ostree.file_malformed`
 */
export function findFileHeader(bytes: Buffer): FileHeader | null {
  if (bytes.length < FRAME_BYTES) return null;
  const length = bytes.readUInt32BE(0);
  if (length > HEADER_MAX_BYTES || length <= FIXED_BYTES || bytes.readUInt32BE(4) !== 0) {
    throw malformed("The file object has no proper header.");
  }
  const headerBytes = FRAME_BYTES + length;
  if (bytes.length < headerBytes) return null;
  const value = bytes.subarray(FRAME_BYTES, headerBytes);
  const { target, attributes } = splitHeader(value);
  const isSymlink = assertFileType(value, target);
  const contentBytes = value.readBigUInt64BE(0);
  if (isSymlink && contentBytes !== 0n) throw malformed("A symbolic link has no content.");
  const body = Buffer.concat([value.subarray(8, FIXED_BYTES), target, attributes]);
  const canonicalValue = withOffsets(body, [FIXED_BYTES - 8 + target.length]);
  return { canonical: framed(canonicalValue), headerBytes, contentBytes, isSymlink };
}

/** Takes the compressed content of one file, hashes what it inflates to, and stops at the first byte too many. */
export class FileContent {
  readonly #header: FileHeader;
  readonly #inflate = createInflateRaw();
  readonly #failed: Promise<never>;
  readonly #ended: Promise<void>;
  #taken = 0;
  #made = 0n;

  constructor(header: FileHeader, hash: Hash) {
    this.#header = header;
    this.#failed = new Promise((_, reject) => {
      this.#inflate.once("error", (cause) =>
        reject(cause instanceof AppError ? cause : malformed("The content can't be inflated.", cause)),
      );
    });
    // Awaited together with the next write; a failure after the last one is nobody's.
    this.#failed.catch(() => undefined);
    this.#ended = new Promise((resolve) => {
      this.#inflate.once("end", resolve);
    });
    this.#inflate.on("data", (piece: Buffer) => {
      this.#made += BigInt(piece.length);
      if (this.#made > header.contentBytes) this.#inflate.destroy(malformed("The content is longer than announced."));
      else hash.update(piece);
    });
  }

  /** @throws AppError `ostree.file_malformed` */
  async write(chunk: Uint8Array): Promise<void> {
    if (chunk.byteLength === 0) return;
    this.#taken += chunk.byteLength;
    if (this.#header.isSymlink) throw malformed("A symbolic link has no content.");
    const written = new Promise<void>((resolve) => {
      this.#inflate.write(chunk, () => resolve());
    });
    await Promise.race([written, this.#failed]);
    if (this.#inflate.bytesWritten < this.#taken) throw malformed("Something follows the compressed content.");
  }

  /** @throws AppError `ostree.file_malformed` (cut off, or another length than announced) */
  async end(): Promise<void> {
    if (this.#header.isSymlink) return;
    this.#inflate.end();
    await Promise.race([this.#ended, this.#failed]);
    if (this.#made !== this.#header.contentBytes) throw malformed("The content is shorter than announced.");
  }

  close(): void {
    this.#inflate.destroy();
  }
}

function splitHeader(value: Buffer): { target: Buffer; attributes: Buffer } {
  try {
    const { ends, table } = new Container(value).ends(1);
    const [targetEnd = 0] = ends;
    if (targetEnd <= FIXED_BYTES) throw malformed("The header's framing is broken.");
    const target = value.subarray(FIXED_BYTES, targetEnd);
    if (target.indexOf(0) !== target.length - 1) throw malformed("The link's target does not end where it should.");
    const attributes = value.subarray(targetEnd, table);
    for (const attribute of new Container(attributes).elements()) new Container(attribute).ends(1);
    return { target, attributes };
  } catch (cause) {
    if (cause instanceof AppError && cause.code === "ostree.malformed") throw malformed(cause.message, cause);
    throw cause;
  }
}

/** Only regular files and symbolic links are files to OSTree. */
function assertFileType(value: Buffer, target: Buffer): boolean {
  const type = value.readUInt32BE(16) & 0o170_000;
  const isSymlink = type === 0o120_000;
  if ((!isSymlink && type !== 0o100_000) || value.readUInt32BE(20) !== 0 || target.length > 1 !== isSymlink) {
    throw malformed("The object is neither a file nor a symbolic link.");
  }
  return isSymlink;
}

function framed(value: Buffer): Buffer {
  const frame = Buffer.alloc(FRAME_BYTES);
  frame.writeUInt32BE(value.length, 0);
  return Buffer.concat([frame, value]);
}

function malformed(message: string, cause?: unknown): AppError {
  return new AppError("ostree.file_malformed", message, { cause });
}

import { createHash } from "node:crypto";
import { AppError } from "#lib/errors/app-error.ts";
import type { ErrorCode } from "#lib/errors/codes.ts";
import { FileContent, type FileHeader, findFileHeader } from "./file-object.ts";
import { METADATA_MAX_BYTES, type ObjectKind, type ObjectName } from "./names.ts";

const MISMATCH = {
  commit: "ostree.commit_mismatch",
  dirtree: "ostree.dirtree_mismatch",
  dirmeta: "ostree.dirmeta_mismatch",
  filez: "ostree.file_mismatch",
} as const satisfies Record<Exclude<ObjectKind, "commitmeta">, ErrorCode>;

/**
 * Hands on an object's bytes while it checks them against the object's name; whoever stores them keeps them only when the
 * iteration ends without an error. Memory is bounded whatever comes: files are inflated piece by piece, never further than
 * their header says.
 *
 * `.commit`, `.dirtree` and `.dirmeta` are named by the SHA-256 of their bytes, `.filez` by that of the file in its canonical form. A
 * `.commitmeta` carries its commit's name, so it is only measured.
 *
 * @throws AppError `ostree.commit_mismatch` | `ostree.dirtree_mismatch` | `ostree.dirmeta_mismatch` | `ostree.file_mismatch` (other
 *   content than the name says) | `ostree.file_malformed` (no `.filez`) | `ostree.too_large`
 * @see contracts/treehub.md section 1
 */
export function verifiedObject(name: ObjectName, source: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
  return name.kind === "filez" ? verifiedFile(name.checksum, source) : verifiedMetadata(name, source);
}

async function* verifiedMetadata(name: ObjectName, source: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
  const hash = createHash("sha256");
  let length = 0;
  for await (const chunk of source) {
    length += chunk.byteLength;
    if (length > METADATA_MAX_BYTES) {
      throw new AppError("ostree.too_large", `Metadata objects have at most ${METADATA_MAX_BYTES} bytes.`);
    }
    hash.update(chunk);
    yield chunk;
  }
  if (name.kind !== "commitmeta") assertDigest(name, hash.digest("hex"));
}

async function* verifiedFile(checksum: string, source: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
  const hash = createHash("sha256");
  let waiting: Buffer = Buffer.alloc(0);
  let content: FileContent | null = null;
  try {
    for await (const chunk of source) {
      if (content === null) {
        waiting = Buffer.concat([waiting, chunk]);
        const header: FileHeader | null = findFileHeader(waiting);
        if (header !== null) {
          hash.update(header.canonical);
          content = new FileContent(header, hash);
          await content.write(waiting.subarray(header.headerBytes));
        }
      } else {
        await content.write(chunk);
      }
      yield chunk;
    }
    if (content === null) throw new AppError("ostree.file_malformed", "The file object ends before its header.");
    await content.end();
  } finally {
    content?.close();
  }
  assertDigest({ checksum, kind: "filez" }, hash.digest("hex"));
}

function assertDigest({ checksum, kind }: ObjectName, actual: string): void {
  if (actual === checksum || kind === "commitmeta") return;
  throw new AppError(MISMATCH[kind], `The content of this ${kind} object has the checksum ${actual}, not ${checksum}.`);
}

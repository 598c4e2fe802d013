import { sha256 } from "@noble/hashes/sha2.js";
import { hex } from "./hex.ts";

const SLICE_BYTES = 4_194_304;

/** SHA-256 of a file of any size, a few megabytes of it in memory at a time; the browser's own digest needs the whole. */
export async function digestOf(file: Blob, onProgress: (read: number) => void): Promise<string> {
  const hash = sha256.create();
  for (let at = 0; at < file.size; at += SLICE_BYTES) {
    hash.update(new Uint8Array(await file.slice(at, at + SLICE_BYTES).arrayBuffer()));
    onProgress(Math.min(1, (at + SLICE_BYTES) / file.size));
  }
  return hex(hash.digest());
}

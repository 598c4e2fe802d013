import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import S3rver from "@20minutes/s3rver";
import type { S3Place } from "#lib/blobs/s3.ts";

/** S3-compatible storage on a socket of its own. */
export type TestStorage = { readonly place: S3Place; readonly folder: string; close(): Promise<void> };

export async function startTestStorage(): Promise<TestStorage> {
  const folder = mkdtempSync(join(tmpdir(), "gatehouse-s3-"));
  const server = new S3rver({
    address: "127.0.0.1",
    port: 0,
    silent: true,
    // NOTE: it forgets the slash after a bucket's name, which the client signs; it still knows who is nobody.
    allowMismatchedSignatures: true,
    directory: folder,
    configureBuckets: [{ name: "gatehouse" }],
  });
  const { port } = await server.run();
  return {
    folder,
    place: {
      endpoint: `http://127.0.0.1:${port}`,
      region: "us-east-1",
      bucket: "gatehouse",
      // The only key pair that this server knows.
      accessKeyId: "S3RVER",
      secretAccessKey: "S3RVER",
      forcePathStyle: true,
      prefix: "tests/one",
    },
    close: () => server.close(),
  };
}

import { createHash } from "node:crypto";
import { type Connection, expectSuccess, ToolError } from "./http.ts";

/** `targets upload`: by parts, or in one piece where the server knows no parts. @see docs/contracts/reposerver-keyserver.md section 3.3 */
export async function uploadFile(connection: Connection, filename: string, bytes: Buffer): Promise<void> {
  const initiate = await connection.persist(() =>
    connection.call("POST", `multipart/initiate/${filename}?fileSize=${bytes.length}`),
  );
  try {
    const { uploadId, partSize } = JSON.parse(expectSuccess("multipart/initiate", initiate).body.toString("utf8"));
    await uploadParts(connection, { filename, bytes, uploadId, partSize });
  } catch (error) {
    if (!(error instanceof ToolError) || error.code !== "not_implemented") throw error;
    await uploadWhole(connection, filename, bytes);
  }
}

async function uploadParts(
  connection: Connection,
  { filename, bytes, uploadId, partSize }: { filename: string; bytes: Buffer; uploadId: string; partSize: number },
): Promise<void> {
  const partETags: { part: number; eTag: string }[] = [];
  for (let part = 1; (part - 1) * partSize < bytes.length; part += 1) {
    const piece = bytes.subarray((part - 1) * partSize, part * partSize);
    const md5 = createHash("md5").update(piece).digest("base64");
    const query = new URLSearchParams({ part: `${part}`, uploadId, md5, contentLength: `${piece.length}` });
    const asked = await connection.persist(() => connection.call("GET", `multipart/url/${filename}?${query}`));
    const { uri } = JSON.parse(expectSuccess("multipart/url", asked).body.toString("utf8"));
    const sent = await connection.persist(() =>
      connection.put(uri, { headers: { "content-md5": md5, "content-type": "application/octet-stream" }, body: piece }),
    );
    const eTag = expectSuccess("a part", sent).headers.etag;
    if (eTag === undefined) throw new Error("a part was answered without an ETag");
    partETags.push({ part, eTag });
  }
  const completed = await connection.persist(() =>
    connection.call("PUT", `multipart/complete/${filename}`, { json: { uploadId, partETags } }),
  );
  expectSuccess("multipart/complete", completed);
}

/** The first answer says where the bytes go. */
async function uploadWhole(connection: Connection, filename: string, bytes: Buffer): Promise<void> {
  const headers = { "content-type": "application/octet-stream" };
  const asked = await connection.call("PUT", `uploads/${filename}`, { body: bytes, headers });
  if (asked.status !== 302 || asked.headers.location === undefined) throw new ToolError("uploads", asked);
  expectSuccess("the file", await connection.put(asked.headers.location, { headers, body: bytes }));
}

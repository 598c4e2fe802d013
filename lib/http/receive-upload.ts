import type { IncomingMessage } from "node:http";
import type { Readable } from "node:stream";
import { Busboy } from "@fastify/busboy";
import type { BlobStore, StagedBlob, StageLimits } from "#lib/blobs/store.ts";
import { AppError } from "#lib/errors/app-error.ts";

const FORM_OVERHEAD_BYTES = 65_536;
const FORM_LIMITS = { files: 1, fields: 20, parts: 40, fieldSize: 16_384, headerPairs: 50, headerSize: 16_384 };

/**
 * Receives the bytes of an upload: the field `file` of a multipart form, or a body of any other type as it is.
 *
 * @throws AppError `request.too_large` | `ota.invalid_entity` (no file, broken form) | `uptane.hash_mismatch` |
 *   `ota.request_canceled_by_upstream` (the connection broke); nothing is left then
 */
export async function receiveUpload(
  req: IncomingMessage,
  blobs: Pick<BlobStore, "stage">,
  limits: StageLimits,
): Promise<{ isForm: boolean; staged: StagedBlob }> {
  const contentType = req.headers["content-type"] ?? "";
  const isForm = /^multipart\/form-data/i.test(contentType);
  const announced = Number(req.headers["content-length"] ?? 0);
  if (announced > limits.maxBytes + (isForm ? FORM_OVERHEAD_BYTES : 0)) {
    throw new AppError("request.too_large", `At most ${limits.maxBytes} bytes are accepted.`);
  }
  try {
    const staged = isForm
      ? await receiveForm(req, contentType, (file) => blobs.stage(file, limits))
      : await blobs.stage(req.iterator({ destroyOnReturn: false }), limits);
    return { isForm, staged };
  } catch (cause) {
    if (cause instanceof AppError || !isBrokenOff(req)) throw cause;
    throw new AppError("ota.request_canceled_by_upstream", "The upload broke off.", { cause });
  } finally {
    // What is left of a refused body is read and dropped; else the reply would never reach a client that still sends.
    req.resume();
  }
}

async function receiveForm(
  req: IncomingMessage,
  contentType: string,
  stage: (file: Readable) => Promise<StagedBlob>,
): Promise<StagedBlob> {
  const form = openForm(contentType);
  let staging: Promise<StagedBlob> | undefined;
  let current: Readable | undefined;
  try {
    await new Promise<void>((resolve, reject) => {
      const brokenForm = (cause: unknown) =>
        reject(new AppError("ota.invalid_entity", "The form is broken or ends too early.", { cause }));
      form.on("file", (field, file) => {
        current = file;
        file.on("error", brokenForm);
        if (field !== "file") {
          file.resume();
          return;
        }
        staging = stage(file);
        staging.catch(reject);
      });
      form.once("finish", resolve);
      form.on("error", brokenForm);
      req.once("error", reject);
      // A request that came whole closes as well, and sometimes before its form has been read to the end.
      req.once("close", () => {
        if (!req.complete) reject(new Error("the connection closed"));
      });
      req.pipe(form);
    });
  } catch (error) {
    req.unpipe(form);
    current?.destroy(error instanceof Error ? error : undefined);
    const staged = await staging?.catch(() => undefined);
    await staged?.discard();
    throw error;
  }
  if (staging === undefined) throw new AppError("ota.invalid_entity", "The form has no field `file` with a file.");
  return staging;
}

function openForm(contentType: string) {
  try {
    return new Busboy({ headers: { "content-type": contentType }, limits: FORM_LIMITS });
  } catch (cause) {
    throw new AppError("ota.invalid_entity", "The form names no boundary.", { cause });
  }
}

function isBrokenOff(req: IncomingMessage): boolean {
  return req.destroyed && !req.complete;
}

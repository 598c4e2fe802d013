import Busboy from "@fastify/busboy";
import type { FastifyInstance, FastifyRequest } from "fastify";
import { UPLOAD_MAX_BYTES } from "#lib/contracts/ota/device-groups.ts";
import { AppError } from "#lib/errors/app-error.ts";

const LIMITS = { fields: 8, fieldSize: UPLOAD_MAX_BYTES, files: 8, parts: 8, headerPairs: 20, headerSize: 8_192 };

/** Lets the routes of this scope take multipart forms, read whole: they are lists that end up in one statement. */
export function acceptForms(scope: FastifyInstance): void {
  scope.addContentTypeParser(
    "multipart/form-data",
    { parseAs: "buffer", bodyLimit: UPLOAD_MAX_BYTES },
    async (_req: FastifyRequest, body: Buffer) => body,
  );
}

export function isForm(req: FastifyRequest): boolean {
  return Buffer.isBuffer(req.body);
}

/** The text of the form's field, be it a file or not. @throws AppError `ota.malformed_input` */
export async function readFormField(req: FastifyRequest, name: string): Promise<string> {
  const { body } = req;
  if (!Buffer.isBuffer(body)) throw malformed(`A multipart form with the field ${name} is expected.`);
  const form = createParser(req.headers["content-type"] ?? "");
  const found = Promise.withResolvers<string>();
  form.on("field", (field, value) => {
    if (field === name) found.resolve(value);
  });
  form.on("file", (field, stream) => {
    const chunks: Buffer[] = [];
    stream.on("data", (chunk: Buffer) => chunks.push(chunk));
    stream.on("end", () => {
      if (field === name) found.resolve(Buffer.concat(chunks).toString("utf8"));
    });
    stream.on("error", found.reject);
  });
  form.on("error", (cause) => found.reject(malformed("The form is not complete.", cause)));
  form.on("finish", () => found.reject(malformed(`The form has no field ${name}.`)));
  form.end(body);
  return found.promise;
}

function createParser(contentType: string) {
  try {
    return Busboy({ headers: { "content-type": contentType }, limits: LIMITS });
  } catch (cause) {
    throw malformed("This is no multipart form.", cause);
  }
}

function malformed(message: string, cause?: unknown): AppError {
  return new AppError("ota.malformed_input", message, { cause });
}

import { createHash } from "node:crypto";
import { type Readable, Transform } from "node:stream";
import Busboy from "@fastify/busboy";
import { z } from "zod";
import { HardwareId, MetadataName, Sha256, TargetFilename } from "#lib/contracts/console/common.ts";
import { IMAGE_MAX_BYTES } from "#lib/contracts/console/images.ts";
import { AppError } from "#lib/errors/app-error.ts";

const LIMITS = { fields: 8, fieldSize: 10_000, files: 1, parts: 9, headerPairs: 20, headerSize: 8_192 };

const UploadFields = z
  .strictObject({
    name: MetadataName(200),
    version: MetadataName(200),
    hardwareIds: z
      .string()
      .transform((text) => [...new Set(text.split(",").map((id) => id.trim()))])
      .pipe(z.array(HardwareId).min(1).max(50)),
    sha256: Sha256.optional(),
  })
  .transform((fields) => ({ ...fields, filename: `${fields.name}_${fields.version}` }))
  .refine(({ filename }) => TargetFilename.safeParse(filename).success, {
    path: ["name"],
    message: "and version together must make a file name: at most 253 characters, no .. and no leading /",
  });
export type UploadFields = z.infer<typeof UploadFields>;

export type UploadForm = {
  fields: UploadFields;
  /** Ends only when the whole form was right; else it fails with what was wrong. */
  file: Readable;
  /** Known once `file` has ended. */
  measured(): { sha256: string; length: number };
  /** Reads the rest without keeping it, so that the caller gets to read the refusal. */
  abandon(): void;
};

/**
 * Opens a multipart form up to where its file begins.
 *
 * @param source the body, as it comes
 * @throws AppError `request.invalid` | `request.unsupported_media_type`
 */
export function openUploadForm(source: Readable, contentType: string): Promise<UploadForm> {
  const form = createParser(contentType);
  const opened = Promise.withResolvers<UploadForm>();
  const complete = Promise.withResolvers<void>();
  complete.promise.catch(() => undefined); // heard by the file's end, if it gets that far
  const given = new Map<string, string>();
  let file: Checked | null = null;
  let failed = false;

  const fail = (error: AppError) => {
    if (failed) return;
    failed = true;
    opened.reject(error);
    complete.reject(error);
    file?.stream.destroy(error);
    abandon();
  };
  const abandon = () => {
    source.unpipe(form);
    source.on("error", () => undefined).resume();
  };

  form.on("field", (name, value, nameTruncated, valueTruncated) => {
    if (file !== null) return fail(invalid(name, "must come before the file"));
    if (nameTruncated || valueTruncated) return fail(invalid(name, "is too long"));
    if (given.has(name)) return fail(invalid(name, "is given twice"));
    given.set(name, value);
  });
  form.on("file", (name, part) => {
    part.on("error", () => fail(invalid("file", "broke off")));
    const fields = UploadFields.safeParse(Object.fromEntries(given));
    if (name !== "file") fail(invalid(name, "is not the file; the file's field is called file"));
    else if (!fields.success) fail(invalidFields(fields.error));
    if (failed || !fields.success) return void part.resume();
    file = createChecked(complete.promise, fields.data.sha256);
    const { stream, measured } = file;
    stream.on("error", (error) => fail(error instanceof AppError ? error : invalid("file", "broke off")));
    part.pipe(stream);
    opened.resolve({ fields: fields.data, file: stream, measured, abandon });
  });
  for (const limit of ["partsLimit", "filesLimit", "fieldsLimit"] as const) {
    form.on(limit, () => fail(invalid("", "has too many parts: one file and the named fields, no more")));
  }
  form.on("error", () => fail(invalid("", "is not complete, or not a form")));
  form.on("finish", () => {
    if (file === null) fail(invalid("file", "is missing"));
    else if (!failed) complete.resolve();
  });
  source.once("error", () => fail(invalid("file", "broke off")));
  source.pipe(form);
  return opened.promise;
}

function createParser(contentType: string) {
  try {
    return Busboy({ headers: { "content-type": contentType }, limits: LIMITS });
  } catch (cause) {
    throw new AppError(
      "request.unsupported_media_type",
      "Send multipart/form-data with the fields name, version, hardwareIds, then file.",
      { cause },
    );
  }
}

type Checked = { stream: Transform; measured(): { sha256: string; length: number } };

/** Measures what passes, and holds the end back until `complete`: what the repository has not seen the end of does not count. */
function createChecked(complete: Promise<void>, expected: string | undefined): Checked {
  const hash = createHash("sha256");
  let length = 0;
  let sha256 = "";
  const stream = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      length += chunk.length;
      hash.update(chunk);
      if (length > IMAGE_MAX_BYTES) {
        done(new AppError("request.too_large", `An image may have at most ${IMAGE_MAX_BYTES} bytes.`));
      } else done(null, chunk);
    },
    flush(done) {
      complete.then(() => {
        sha256 = hash.digest("hex");
        const wrong = expected !== undefined && expected !== sha256;
        done(wrong ? invalid("sha256", `is ${expected}, but the bytes that arrived have ${sha256}`) : null);
      }, done);
    },
  });
  return { stream, measured: () => ({ sha256, length }) };
}

function invalid(path: string, message: string): AppError {
  return new AppError("request.invalid", `${path === "" ? "The form" : path} ${message}.`, {
    detail: [{ path, message }],
  });
}

function invalidFields(error: z.ZodError): AppError {
  const errors = error.issues.map(({ path, message }) => ({ path: path.map(String).join("."), message }));
  const [first] = errors;
  return new AppError("request.invalid", `${first?.path ?? "The form"}: ${first?.message ?? "is not valid"}`, {
    detail: errors,
  });
}

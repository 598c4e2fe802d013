import { z } from "zod";
import { AppError } from "#lib/errors/app-error.ts";

export const Uuid = z.uuid();
export const Fingerprint = z
  .string()
  .regex(/^[0-9a-f]{64}$/, "must be 64 lower-case hex digits: the SHA-256 of the certificate's DER");
export const Sha256 = z.string().regex(/^[0-9a-f]{64}$/, "must be 64 lower-case hex digits");
/** ISO 8601 in UTC. */
export const Instant = z.iso.datetime();
/** What people type into names: no control characters, nothing that only looks empty. */
export const PersonText = (max: number) =>
  z
    .string()
    .trim()
    .min(1, "must not be empty")
    .max(max)
    .refine((text) => !hasControls(text), "must not contain control characters");
/** Names that enter signed metadata: printable ASCII, because the device prints anything else differently than it was signed. */
export const MetadataName = (max: number) =>
  z
    .string()
    .min(1, "must not be empty")
    .max(max)
    .regex(
      /^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/,
      "may contain printable ASCII characters only, and no blanks at its ends",
    );
export const HardwareId = MetadataName(200);
/** Contract: 1..253 characters, no `..`; ASCII because it is signed. */
export const TargetFilename = MetadataName(253)
  .refine((name) => !name.includes(".."), "must not contain ..")
  .refine((name) => !name.startsWith("/") && !name.includes("\\"), "must be a plain relative name");
export const EcuSerial = z.string().min(1).max(64);

export const ListQuery = z.strictObject({
  limit: z.coerce.number().int().min(1).max(200).default(50),
  cursor: z.string().max(2_000).optional(),
  q: z.string().max(200).optional(),
});
export type ListQuery = z.infer<typeof ListQuery>;

export type Page<T> = { data: T[]; nextCursor: string | null; total: number; totalIsExact: boolean };

export function pageOf<T extends z.ZodType>(item: T) {
  return z.object({
    data: z.array(item),
    nextCursor: z.string().nullable(),
    total: z.number().int(),
    totalIsExact: z.boolean(),
  });
}

export const Empty = z.object({});

/** PostgreSQL refuses NUL in a text, and no list gives one out. */
const CursorPart = z
  .string()
  .max(1_000)
  .refine((part) => !part.includes("\0"));

/** Keyset cursors: the sort values of the last row, opaque to the caller. */
export function encodeCursor(parts: readonly (string | null)[]): string {
  return Buffer.from(JSON.stringify(parts), "utf8").toString("base64url");
}

/** @throws AppError `request.invalid` when the cursor is not one that this list gave out */
export function decodeCursor(cursor: string, length: number): (string | null)[] {
  let parts: unknown;
  try {
    parts = JSON.parse(Buffer.from(cursor, "base64url").toString("utf8"));
  } catch (cause) {
    throw foreignCursor(cause);
  }
  const parsed = z.array(CursorPart.nullable()).length(length).safeParse(parts);
  if (!parsed.success) throw foreignCursor(parsed.error);
  return parsed.data;
}

/** A decoded part that must be a value of `schema`. @throws AppError `request.invalid` */
export function cursorPart<T>(part: string | null | undefined, schema: z.ZodType<T>): T {
  const parsed = schema.safeParse(part);
  if (!parsed.success) throw foreignCursor(parsed.error);
  return parsed.data;
}

function foreignCursor(cause: unknown): AppError {
  return new AppError("request.invalid", "cursor is not one this list gave out. Start again without it.", { cause });
}

function hasControls(text: string): boolean {
  return [...text].some((character) => {
    const code = character.codePointAt(0) ?? 0;
    return code < 0x20 || (code >= 0x7f && code <= 0x9f) || (code >= 0xd800 && code <= 0xdfff);
  });
}

/** A range of addresses; an address alone is a range of one. */
export const SourceNetwork = z.union([
  z.cidrv4(),
  z.cidrv6(),
  z.ipv4().transform((address) => `${address}/32`),
  z.ipv6().transform((address) => `${address}/128`),
]);

import { z } from "zod";
import { Fingerprint, HardwareId, Instant, ListQuery, PersonText, pageOf, Sha256, Uuid } from "./common.ts";
import { endpoint } from "./endpoint.ts";

/** What an entry knows a certificate by. `subject` and `serial` are those of one authority. */
export const ALLOWLIST_KINDS = ["fingerprint", "spki", "subject", "serial"] as const;
export const AllowlistKind = z.enum(ALLOWLIST_KINDS);
export type AllowlistKind = z.infer<typeof AllowlistKind>;

export const ALLOWLIST_IMPORT_MAX_BYTES = 33_554_432;
export const ALLOWLIST_IMPORT_MAX_ROWS = 200_000;

const TagName = z.string().regex(/^[\p{L}\p{N} _-]{1,20}$/u, "has 1 to 20 letters, digits, blanks, _ or -");
export const AllowlistTags = z
  .record(TagName, PersonText(254))
  .refine((tags) => Object.keys(tags).length <= 20, "has 20 tags at most");

export const AllowlistEntry = z.object({
  id: Uuid,
  kind: AllowlistKind,
  /** Hex digest, comparable subject, or hex serial number. */
  value: z.string(),
  authority: z.object({ id: Uuid, name: z.string() }).nullable(),
  name: z.string().nullable(),
  hardwareId: z.string().nullable(),
  groupId: Uuid.nullable(),
  tags: z.record(z.string(), z.string()),
  note: z.string().nullable(),
  expiresAt: Instant.nullable(),
  usedAt: Instant.nullable(),
  /** Fingerprint of the one certificate that came in with it. */
  usedBy: Fingerprint.nullable(),
  createdAt: Instant,
  createdBy: z.string(),
});
export type AllowlistEntry = z.infer<typeof AllowlistEntry>;

export const ListAllowlist = ListQuery.extend({
  kind: AllowlistKind.optional(),
  use: z.enum(["unused", "used", "expired"]).optional(),
});
export type ListAllowlist = z.infer<typeof ListAllowlist>;

export const listAllowlist = endpoint({
  method: "GET",
  path: "/api/v1/allowlist",
  permission: "certificate.read",
  summary: "What lets a certificate in at its first visit, newest first",
  query: ListAllowlist,
  reply: pageOf(AllowlistEntry),
});

export const AddAllowlistEntry = z.strictObject({
  kind: AllowlistKind,
  /** In any notation: colons, blanks and capitals don't count. */
  value: z.string().min(1).max(600),
  /** The authority of a subject or a serial number. */
  authorityId: Uuid.optional(),
  name: PersonText(200).optional(),
  hardwareId: HardwareId.optional(),
  groupId: Uuid.optional(),
  tags: AllowlistTags.optional(),
  note: PersonText(500).optional(),
  expiresAt: Instant.optional(),
});
export type AddAllowlistEntry = z.infer<typeof AddAllowlistEntry>;

export const addAllowlistEntry = endpoint({
  method: "POST",
  path: "/api/v1/allowlist",
  permission: "certificate.decide",
  summary: "Let a certificate in before its first visit, or now when it waits",
  body: AddAllowlistEntry,
  status: 201,
  reply: z.object({
    entry: AllowlistEntry,
    /** Fingerprint of a waiting certificate that it let in at once. */
    approved: Fingerprint.nullable(),
  }),
});

export const removeAllowlistEntry = endpoint({
  method: "DELETE",
  path: "/api/v1/allowlist/{id}",
  permission: "certificate.decide",
  summary: "Take an entry off the allowlist; a certificate that came in with it stays",
  params: z.strictObject({ id: Uuid }),
  reply: z.object({}),
});

export const AllowlistImport = z.object({
  /** False for a dry run, and when a row is invalid: then nothing was added. */
  imported: z.boolean(),
  rows: z.number().int(),
  added: z.number().int(),
  /** Rows that are on the allowlist, or stand in the file before. */
  duplicates: z.number().int(),
  invalid: z.number().int(),
  /** The first hundred of them. */
  errors: z.array(z.object({ row: z.number().int(), column: z.string(), cause: z.string() })),
  /** SHA-256 of the file. */
  digest: Sha256,
});
export type AllowlistImport = z.infer<typeof AllowlistImport>;

export const ImportAllowlist = z.strictObject({
  dryRun: z.enum(["true", "false"]).default("true"),
});

export const importAllowlist = endpoint({
  method: "POST",
  path: "/api/v1/allowlist/import",
  permission: "certificate.decide",
  summary: "Add entries from a CSV file, all or none; a dry run (the default) says what would happen",
  query: ImportAllowlist,
  stream: { contentType: "text/csv", maxBytes: ALLOWLIST_IMPORT_MAX_BYTES },
  reply: AllowlistImport,
});

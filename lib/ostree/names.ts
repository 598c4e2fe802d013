import { AppError } from "#lib/errors/app-error.ts";

export const OBJECT_KINDS = ["commit", "dirtree", "dirmeta", "filez", "commitmeta"] as const;
export type ObjectKind = (typeof OBJECT_KINDS)[number];

/** An object of a repository in `archive-z2` mode. */
export type ObjectName = { readonly checksum: string; readonly kind: ObjectKind };

/** libostree before 2021 refuses larger ones, so devices would. */
export const METADATA_MAX_BYTES = 10 * 1_048_576;

/** `<64 hex>.<kind>`, as one word. */
export function formatObjectName({ checksum, kind }: ObjectName): string {
  return `${checksum}.${kind}`;
}

/** The opposite of `formatObjectName`. @returns null for anything else */
export function findObjectName(text: string): ObjectName | null {
  const [, checksum = "", ending = ""] = /^([0-9a-f]{64})\.([a-z]{1,10})$/.exec(text) ?? [];
  const kind = OBJECT_KINDS.find((known) => known === ending);
  return kind === undefined ? null : { checksum, kind };
}

/** @throws AppError `ostree.malformed` */
export function parseChecksum(bytes: Buffer): string {
  if (bytes.length === 32) return bytes.toString("hex");
  throw new AppError("ostree.malformed", "A checksum has 32 bytes.");
}

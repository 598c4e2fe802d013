import { z } from "zod";
import { ALLOWLIST_KINDS, type AllowlistKind, AllowlistTags } from "#lib/contracts/console/allowlist.ts";
import { HardwareId, PersonText } from "#lib/contracts/console/common.ts";
import { parseCsv } from "#lib/domain/csv.ts";
import { AppError } from "#lib/errors/app-error.ts";
import { parseAllowlistValue } from "#lib/pki/allowlist-value.ts";
import type { NewEntry } from "./store-allowlist.ts";

export type RowError = { readonly row: number; readonly column: string; readonly cause: string };
/** An entry as its row has it: the group by its id or its name, as it was written. */
export type RowEntry = Omit<NewEntry, "id" | "groupId"> & { readonly group: string | null };
export type ReadRow = { readonly row: number; readonly entry: RowEntry } | { readonly error: RowError };

/** The authorities that a row may name, by id or by name. */
export type Authorities = readonly { id: string; name: string }[];

const TAG = "tag.";
const COLUMNS = [
  "kind",
  "value",
  ...ALLOWLIST_KINDS,
  "authority",
  "name",
  "hardware",
  "group",
  "note",
  "expires",
] as const;
type ColumnName = (typeof COLUMNS)[number];
type Cells = ReadonlyMap<string, string>;

/**
 * Reads the rows of an allowlist file one at a time. The first row names the columns: `kind` and `value`, or one of `fingerprint`, `spki`,
 * `subject`, `serial`; besides `authority`, `name`, `hardware`, `group`, `note`, `expires` and `tag.<name>`.
 *
 * @throws AppError `request.invalid` when the columns are not these, or the text is no CSV
 */
export function* readAllowlistRows(text: string, authorities: Authorities): Generator<ReadRow, undefined> {
  const lines = parseCsv(text);
  const columns = readHeader(lines.next().value?.cells ?? []);
  for (const { line, cells } of lines) {
    const byName = new Map(columns.map((column, index) => [column, cells[index]?.trim() ?? ""]));
    const read = cells.length > columns.length ? "has more cells than there are columns" : readRow(byName, authorities);
    if (typeof read === "string") yield { error: { row: line, column: "", cause: read } };
    else yield "entry" in read ? { row: line, entry: read.entry } : { error: { row: line, ...read } };
  }
}

function readHeader(cells: readonly string[]): string[] {
  const columns = cells.map((cell) => {
    const name = cell.trim();
    return name.toLowerCase().startsWith(TAG) ? `${TAG}${name.slice(TAG.length)}` : name.toLowerCase();
  });
  const known: readonly string[] = COLUMNS;
  const strange = columns.find((name) => !known.includes(name) && !name.startsWith(TAG));
  if (strange !== undefined)
    throw invalid(`There is no column ${strange.slice(0, 40)}: ${COLUMNS.join(", ")}, tag.<name>.`);
  if (new Set(columns).size !== columns.length) throw invalid("A column stands there twice.");
  const names = ALLOWLIST_KINDS.some((kind) => columns.includes(kind));
  if (!names && !(columns.includes("kind") && columns.includes("value")))
    throw invalid("The first row must name the columns: kind and value, or fingerprint, spki, subject or serial.");
  return columns;
}

type Problem = { readonly column: string; readonly cause: string };

function readRow(cells: Cells, authorities: Authorities): { entry: RowEntry } | Problem {
  const key = readKey(cells, authorities);
  if ("cause" in key) return key;
  const tags = [...cells].flatMap(([name, value]) =>
    name.startsWith(TAG) && value !== "" ? [[name.slice(TAG.length), value]] : [],
  );
  const read = Row.safeParse({
    name: orNull(cells, "name"),
    hardware: orNull(cells, "hardware"),
    group: orNull(cells, "group"),
    note: orNull(cells, "note"),
    expires: orNull(cells, "expires"),
    tags: Object.fromEntries(tags),
  });
  if (!read.success) {
    const [issue] = read.error.issues;
    return { column: issue?.path.join(".") ?? "", cause: issue?.message ?? "is not valid" };
  }
  const { hardware, expires, ...rest } = read.data;
  return { entry: { ...key, ...rest, hardwareId: hardware, expiresAt: expires } };
}

const Row = z.object({
  name: PersonText(200).nullable(),
  hardware: HardwareId.nullable(),
  group: PersonText(100).nullable(),
  note: PersonText(500).nullable(),
  expires: z
    .union([z.iso.date(), z.iso.datetime({ offset: true })], {
      error: "is no date like 2027-01-31 or 2027-01-31T12:00:00Z",
    })
    .transform((text) => new Date(text))
    .nullable(),
  tags: AllowlistTags,
});

function readKey(
  cells: Cells,
  authorities: Authorities,
): { kind: AllowlistKind; scope: string; value: string } | Problem {
  const named = ALLOWLIST_KINDS.filter((kind) => orNull(cells, kind) !== null);
  const given = orNull(cells, "value");
  if (named.length + (given === null ? 0 : 1) !== 1)
    return { column: "value", cause: "names no certificate, or more than one" };
  const kind = named[0] ?? ALLOWLIST_KINDS.find((known) => known === cells.get("kind")?.toLowerCase());
  if (kind === undefined) return { column: "kind", cause: `is none of ${ALLOWLIST_KINDS.join(", ")}` };
  const value = parseAllowlistValue(kind, given ?? cells.get(kind) ?? "");
  if (value === null) return { column: named[0] ?? "value", cause: `is no ${WORDS[kind]}` };
  if (kind === "fingerprint" || kind === "spki") return { kind, scope: "", value };
  const text = cells.get("authority") ?? "";
  const matching = authorities.filter(({ id, name }) => id === text.toLowerCase() || name === text);
  const [authority] = matching;
  if (authority === undefined || matching.length > 1)
    return { column: "authority", cause: "names no authority known here, or several" };
  return { kind, scope: authority.id, value };
}

const WORDS: Readonly<Record<AllowlistKind, string>> = {
  fingerprint: "SHA-256 fingerprint of 64 hex digits",
  spki: "SHA-256 of a public key of 64 hex digits",
  subject: "subject like CN=device, O=maker",
  serial: "serial number in hex",
};

function orNull(cells: Cells, column: ColumnName): string | null {
  return cells.get(column) || null;
}

function invalid(message: string): AppError {
  return new AppError("request.invalid", message);
}

import { TAG_VALUE_MAX_LENGTH } from "#lib/contracts/ota/device-groups.ts";
import { isTagId } from "#lib/domain/group-expression.ts";
import { AppError } from "#lib/errors/app-error.ts";

const ID_COLUMN = "DeviceID";
const OEM_ID_MAX_BYTES = 128;
const MAX_TAGS = 100;

/** A value for each of `tagIds`, "" for none; every device once. */
export type TagTable = {
  readonly tagIds: readonly string[];
  readonly rows: readonly { oemId: string; values: readonly string[] }[];
};

/**
 * Reads the CSV of "custom device fields": `;` between cells, a header row with the column DeviceID and a column a tag. Of a device that
 * is listed twice the last row counts.
 *
 * @throws AppError `ota.malformed_input`
 * @see contracts/device-registry.md section 6
 */
export function parseTagTable(text: string): TagTable {
  const lines = parseCsv(text.replace(/^\uFEFF/, ""));
  const header = lines.next().value?.map((name) => name.trim()) ?? [];
  const idAt = header.indexOf(ID_COLUMN);
  if (idAt < 0) throw malformed(`The first row must name the columns, one of them ${ID_COLUMN}.`);
  const tagIds = header.filter((_name, index) => index !== idAt);
  if (tagIds.length > MAX_TAGS) throw malformed(`There may be ${MAX_TAGS} tags at most.`);
  for (const tagId of tagIds)
    if (!isTagId(tagId)) throw malformed("A tag has 1 to 20 letters, digits, blanks, _ or -.");
  if (new Set(header).size !== header.length) throw malformed("A column stands there twice.");
  const rows = new Map<string, string[]>();
  for (const cells of lines) {
    const oemId = cells[idAt]?.trim() ?? "";
    if (oemId === "") continue;
    const values = header.flatMap((_name, index) => (index === idAt ? [] : [cells[index]?.trim() ?? ""]));
    if (values.some((value) => [...value].length > TAG_VALUE_MAX_LENGTH || !isStorable(value)))
      throw malformed(`A value has ${TAG_VALUE_MAX_LENGTH} characters at most, and no NUL.`);
    if (isStorable(oemId)) rows.set(oemId, values);
  }
  return { tagIds, rows: [...rows].map(([oemId, values]) => ({ oemId, values })) };
}

/**
 * Reads a list of OEM ids, one a line.
 *
 * @throws AppError `ota.malformed_input` for a line of more than 128 bytes
 * @see contracts/device-registry.md section 5
 */
export function parseOemIds(text: string): string[] {
  const ids = new Set<string>();
  for (const line of text.replace(/^\uFEFF/, "").split("\n")) {
    const id = line.endsWith("\r") ? line.slice(0, -1) : line;
    if (Buffer.byteLength(id) > OEM_ID_MAX_BYTES) throw malformed(`A line has ${OEM_ID_MAX_BYTES} bytes at most.`);
    if (id !== "" && isStorable(id)) ids.add(id);
  }
  return [...ids];
}

/** Cells may stand in quotes, a quote in quotes is doubled; empty lines are skipped. */
function* parseCsv(text: string): Generator<string[], undefined> {
  const cell = /("(?:[^"]|"")*"|[^;\r\n"]*)(;|\r?\n|$)/y;
  let line: string[] = [];
  while (cell.lastIndex < text.length || line.length > 0) {
    const found = cell.exec(text);
    if (found === null) throw malformed("A quote is not closed, or stands within a cell.");
    const [, raw = "", end = ""] = found;
    line.push(raw.startsWith('"') ? raw.slice(1, -1).replaceAll('""', '"') : raw);
    if (end === ";") continue;
    if (line.length > 1 || line[0] !== "") yield line;
    line = [];
    if (end === "") return;
  }
}

function isStorable(text: string): boolean {
  return !text.includes("\0") && text.isWellFormed();
}

function malformed(message: string): AppError {
  return new AppError("ota.malformed_input", message);
}

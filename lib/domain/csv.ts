import { AppError } from "#lib/errors/app-error.ts";

export type CsvRow = { readonly line: number; readonly cells: readonly string[] };

const MAX_CELLS = 64;

/**
 * The rows of a CSV text, one at a time. Cells may stand in quotes, a quote in quotes is doubled; lines end in LF or CRLF; a byte order
 * mark and empty lines are skipped. The separator is `;` when the first line has more of them than commas.
 *
 * @throws AppError `request.invalid` for a quote that is not closed or stands within a cell, and a row of more than 64 cells
 */
export function* parseCsv(given: string): Generator<CsvRow, undefined> {
  const text = given.startsWith("\uFEFF") ? given.slice(1) : given;
  const head = text.slice(0, /\r?\n|$/.exec(text)?.index ?? 0);
  const separator = head.split(";").length > head.split(",").length ? ";" : ",";
  const cell =
    separator === ";" ? /("(?:[^"]|"")*"|[^;\r\n"]*)(;|\r?\n|$)/y : /("(?:[^"]|"")*"|[^,\r\n"]*)(,|\r?\n|$)/y;
  let line = 1;
  let startedAt = 1;
  let cells: string[] = [];
  while (cell.lastIndex < text.length || cells.length > 0) {
    const found = cell.exec(text);
    if (found === null || cells.length === MAX_CELLS) throw malformed(line);
    const [, raw = "", end = ""] = found;
    cells.push(raw.startsWith('"') ? raw.slice(1, -1).replaceAll('""', '"') : raw);
    if (raw.startsWith('"')) line += raw.split("\n").length - 1;
    if (end === separator) continue;
    if (cells.length > 1 || cells[0]?.trim() !== "") yield { line: startedAt, cells };
    cells = [];
    line += 1;
    startedAt = line;
    if (end === "") return;
  }
}

function malformed(line: number): AppError {
  return new AppError(
    "request.invalid",
    `Line ${line} can't be read: a quote is not closed or stands within a cell, or there are more than ${MAX_CELLS} cells.`,
  );
}

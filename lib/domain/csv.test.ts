import { expect, it } from "vitest";
import { parseCsv } from "#lib/domain/csv.ts";

it.each<[string, string, (readonly string[])[]]>([
  [
    "commas, LF",
    "a,b\n1,2\n",
    [
      ["a", "b"],
      ["1", "2"],
    ],
  ],
  [
    "semicolons, CRLF, a byte order mark",
    "\uFEFFa;b\r\n1,5;2\r\n",
    [
      ["a", "b"],
      ["1,5", "2"],
    ],
  ],
  [
    "quotes, doubled quotes and line ends in them",
    'a,b\n"x, ""y""","1\n2"\n',
    [
      ["a", "b"],
      ['x, "y"', "1\n2"],
    ],
  ],
  ["empty lines and no last line end", "a\n\n  \nb", [["a"], ["b"]]],
  [
    "an empty last cell",
    "a,b\n1,",
    [
      ["a", "b"],
      ["1", ""],
    ],
  ],
  ["nothing", "", []],
])("reads %s", (_name, text, rows) => {
  expect([...parseCsv(text)].map(({ cells }) => cells)).toEqual(rows);
});

it("counts lines as an editor does", () => {
  expect([...parseCsv('a\n"1\n2"\n\nb')].map(({ line }) => line)).toEqual([1, 2, 5]);
});

it.each(['a\n"b', 'a\nb"c"', `a\n${",".repeat(65)}`])("refuses %j", (text) => {
  expect(() => [...parseCsv(text)]).toThrow(expect.objectContaining({ code: "request.invalid" }));
});

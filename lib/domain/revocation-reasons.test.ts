import { expect, it } from "vitest";
import { becauseOf, reasonInWords } from "./revocation-reasons.ts";

it.each([
  ["keyCompromise", "stolen van", ": the key may be known to others. Note: stolen van."],
  ["keyCompromise", null, ": the key may be known to others."],
  ["superseded", " ", ": replaced by another certificate."],
  ["unspecified", "Sold.", ". Note: Sold."],
  ["certificateHold", null, "."],
  [null, "why?", ". Note: why?"],
  [null, null, "."],
])("a sentence about a revocation ends in words, for %s and the note %j", (reason, note, end) => {
  expect(becauseOf(reason, note)).toBe(end);
});

it("shows a reason that it does not know as it is", () => {
  expect(reasonInWords("removeFromCRL")).toBe("removeFromCRL");
});

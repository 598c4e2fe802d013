import { describe, expect, it } from "vitest";
import { checkSources } from "./check-directions.ts";
import type { Source } from "./read-sources.ts";

/** A file that stands in the checkout (for its environment check), seen as if it imported `specifier`. */
function importing(file: string, specifier: string): Source {
  const target = specifier.startsWith("#")
    ? specifier.slice(1)
    : specifier.startsWith(".")
      ? "resolved/elsewhere.ts"
      : null;
  return { file, lines: 10, imports: [{ specifier, file: target, line: 3 }], functions: [] };
}

describe("import directions", () => {
  it.each([
    ["lib/errors/codes.ts", "#services/fleet/service.ts", "a library knows no service"],
    ["lib/errors/codes.ts", "fastify", "the pure core loads no package"],
    ["lib/config/load.ts", "#app/main.ts", "a library knows no page"],
    ["services/main.ts", "#services/fleet/store-read.ts", "stores are private to their area"],
    ["services/main.ts", "@prisma/client", "Prisma stays in its homes"],
    ["cli/main.ts", "#services/director/service.ts", "embedded services are behind HTTP"],
    ["cli/main.ts", "../lib/errors/codes.ts", "no path climbs"],
  ])("refuses %s -> %s: %s", (file, specifier) => {
    expect(checkSources([importing(file, specifier)])).toEqual([expect.stringContaining(`${file}:3`)]);
  });

  it.each([
    ["cli/main.ts", "#services/accounts/service.ts"],
    ["services/main.ts", "#services/director/routes.ts"],
    ["lib/db/client.ts", "@prisma/adapter-pg"],
    ["cli/main.ts", "#lib/errors/codes.ts"],
  ])("lets %s import %s", (file, specifier) => {
    expect(checkSources([importing(file, specifier)])).toEqual([]);
  });

  it("refuses services that import each other in a circle, once", () => {
    const circle = [
      importing("services/fleet/service.ts", "#services/audit/service.ts"),
      importing("services/audit/service.ts", "#services/fleet/service.ts"),
    ];
    expect(checkSources(circle)).toEqual(["services import in a circle: audit -> fleet"]);
  });

  it("refuses barrels, long files and long functions", () => {
    const source = { file: "cli/main.ts", imports: [] };
    expect(checkSources([{ ...source, lines: 401, functions: [] }])).toHaveLength(1);
    expect(checkSources([{ ...source, lines: 9, functions: [{ name: "main", line: 1, lines: 81 }] }])).toHaveLength(1);
    expect(checkSources([{ file: "tests/index.ts", lines: 1, imports: [], functions: [] }])).toHaveLength(1);
  });
});

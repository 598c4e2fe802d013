/**
 * `npm run directions`: import directions by the one table, no barrels, no climbing paths, Prisma and the environment in
 * their homes, and the caps on the length of files and functions.
 */
import { readFileSync } from "node:fs";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { PRISMA, PRISMA_HOMES, RULES } from "./import-table.ts";
import { type Import, listSources, readSource, type Source } from "./read-sources.ts";

const FILE_LINES = 400;
const FUNCTION_LINES = 80;
const COMPONENT_LINES = 150;
/** Data, not logic. */
const LONG_FILES: readonly RegExp[] = [/^tests\/vectors\//];
const ENVIRONMENT_HOMES: readonly RegExp[] = [
  /^lib\/config\//,
  /^scripts\//,
  /^bench\//,
  /^e2e\//,
  /^[a-z.-]+\.config\.ts$/,
];

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const problems = checkSources(listSources().map(readSource));
  for (const problem of problems) console.error(problem);
  console.log(problems.length === 0 ? "Directions and sizes hold." : `${problems.length} problems.`);
  process.exitCode = problems.length === 0 ? 0 : 1;
}

/** One line a problem, `file:line what`. */
export function checkSources(sources: readonly Source[]): string[] {
  return [...sources.flatMap(checkSource), ...findServiceCycles(sources)];
}

function checkSource(source: Source): string[] {
  const { file } = source;
  const problems: string[] = [];
  const tell = (line: number, what: string) => problems.push(`${file}:${line} ${what}`);
  if (/(^|\/)index\.tsx?$/.test(file)) tell(1, "is a barrel: import the file that is meant");
  if (source.lines > FILE_LINES && !LONG_FILES.some((long) => long.test(file))) {
    tell(FILE_LINES, `has ${source.lines} lines, more than ${FILE_LINES}`);
  }
  for (const imported of source.imports) {
    const refusal = refuseImport(file, imported);
    if (refusal !== null) tell(imported.line, refusal);
  }
  if (!isTest(file)) problems.push(...checkFunctions(source), ...checkEnvironment(file));
  return problems;
}

function refuseImport(from: string, { specifier, file }: Import): string | null {
  if (specifier.startsWith("../")) return `climbs: write "#${file}" instead of "${specifier}"`;
  if (isTest(from)) return null;
  if (PRISMA.test(file ?? specifier) && !PRISMA_HOMES.some((home) => home.test(from))) {
    return "loads Prisma outside lib/db and a service's store";
  }
  const rule = RULES.find((candidate) => candidate.from.test(from));
  if (rule === undefined) return null;
  if (file === null) {
    const open = rule.packages === undefined || rule.packages.some((allowed) => allowed.test(specifier));
    return open ? null : `may not import the package ${specifier}`;
  }
  const beside = specifier.startsWith("./") || sameArea(from, file);
  return beside || rule.to.some((allowed) => allowed.test(file)) ? null : `may not import ${file}`;
}

/** A services area is one folder, whatever its depth. */
function sameArea(from: string, to: string): boolean {
  const area = /^services\/[^/]+\//.exec(from)?.[0];
  return area !== undefined && to.startsWith(area);
}

function checkFunctions({ file, functions }: Source): string[] {
  return functions.flatMap(({ name, line, lines }) => {
    const isComponent = file.endsWith(".tsx") && /^[A-Z]/.test(name);
    const cap = isComponent ? COMPONENT_LINES : FUNCTION_LINES;
    return lines > cap ? [`${file}:${line} ${name || "a function"} has ${lines} lines, more than ${cap}`] : [];
  });
}

function checkEnvironment(file: string): string[] {
  if (ENVIRONMENT_HOMES.some((home) => home.test(file))) return [];
  const lines = readFileSync(file, "utf8").split("\n");
  return lines.flatMap((line, index) =>
    /\bprocess\.env\b/.test(line.replace(/^\s*(\*|\/\/).*/, ""))
      ? [`${file}:${index + 1} reads process.env outside lib/config`]
      : [],
  );
}

/** Areas call each other along a graph without circles, so that each can be understood after those it stands on. */
function findServiceCycles(sources: readonly Source[]): string[] {
  const edges = new Map<string, Set<string>>();
  for (const { file, imports } of sources.filter((source) => !isTest(source.file))) {
    const from = areaOf(file);
    for (const imported of imports) {
      const to = areaOf(imported.file ?? "");
      if (from === null || to === null || from === to) continue;
      edges.set(from, (edges.get(from) ?? new Set()).add(to));
    }
  }
  const problems = new Set<string>();
  const walk = (area: string, trail: readonly string[]): void => {
    const at = trail.indexOf(area);
    if (at !== -1) {
      const circle = trail.slice(at);
      const first = circle.indexOf([...circle].sort()[0] ?? "");
      problems.add(`services import in a circle: ${[...circle.slice(first), ...circle.slice(0, first)].join(" -> ")}`);
      return;
    }
    for (const next of edges.get(area) ?? []) walk(next, [...trail, area]);
  };
  for (const area of edges.keys()) walk(area, []);
  return [...problems];
}

function areaOf(file: string): string | null {
  return /^services\/([^/]+)\//.exec(file)?.[1] ?? null;
}

function isTest(file: string): boolean {
  return (
    /(^|\/)tests\//.test(file) ||
    /\.test\.tsx?$/.test(file) ||
    file.startsWith("e2e/") ||
    path.basename(file) === "vitest.config.ts"
  );
}

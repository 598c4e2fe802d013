import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { parseSync } from "oxc-parser";

export interface Source {
  readonly file: string;
  readonly lines: number;
  readonly imports: readonly Import[];
  readonly functions: readonly FunctionSpan[];
}

export interface Import {
  /** As written. */
  readonly specifier: string;
  /** A file of this repository without leading slash, or null for a package. */
  readonly file: string | null;
  readonly line: number;
}

export interface FunctionSpan {
  readonly name: string;
  readonly line: number;
  readonly lines: number;
}

/** Every TypeScript file that git knows or would add. */
export function listSources(): string[] {
  const listed = execFileSync("git", ["ls-files", "-co", "--exclude-standard", "*.ts", "*.tsx"], { encoding: "utf8" });
  return listed.split("\n").filter((file) => file !== "" && existsSync(file));
}

export function readSource(file: string): Source {
  const text = readFileSync(file, "utf8");
  const { program, module, errors } = parseSync(file, text);
  if (errors.length > 0) throw new Error(`${file} does not parse: ${errors[0]?.message}`);
  const lineOf = createLineFinder(text);
  const requests = [
    ...module.staticImports.map(({ moduleRequest }) => moduleRequest),
    ...module.staticExports.flatMap(({ entries }) => entries.flatMap((entry) => entry.moduleRequest ?? [])),
  ];
  const fixed = requests.map(({ value, start }) => ({ specifier: value, line: lineOf(start) }));
  const dynamic = module.dynamicImports.map(({ moduleRequest: { start, end } }) => ({
    specifier: text.slice(start, end).replace(/^["'`]|["'`]$/g, ""),
    line: lineOf(start),
  }));
  return {
    file,
    lines: text.split("\n").length - 1,
    imports: [...fixed, ...dynamic].map((found) => ({ ...found, file: resolveSpecifier(file, found.specifier) })),
    functions: findFunctions(program, lineOf),
  };
}

function resolveSpecifier(from: string, specifier: string): string | null {
  if (specifier.startsWith("#")) return specifier.slice(1);
  if (specifier.startsWith(".")) return path.posix.join(path.posix.dirname(from), specifier);
  return null;
}

type Node = { type: string; start: number; end: number } & Record<string, unknown>;

function findFunctions(root: unknown, lineOf: (offset: number) => number): FunctionSpan[] {
  const found: FunctionSpan[] = [];
  const visit = (value: unknown, nameAbove: string): void => {
    if (Array.isArray(value)) {
      for (const item of value) visit(item, nameAbove);
      return;
    }
    if (!isNode(value)) return;
    const name = ownName(value) ?? nameAbove;
    if (/^(FunctionDeclaration|FunctionExpression|ArrowFunctionExpression)$/.test(value.type)) {
      const line = lineOf(value.start);
      found.push({ name, line, lines: lineOf(value.end) - line + 1 });
    }
    for (const child of Object.values(value)) if (typeof child === "object") visit(child, name);
  };
  visit(root, "");
  return found;
}

function ownName(node: Node): string | null {
  const holder = node.id ?? node.key;
  return isNode(holder) && typeof holder.name === "string" ? holder.name : null;
}

function isNode(value: unknown): value is Node {
  return typeof value === "object" && value !== null && "type" in value && "start" in value;
}

function createLineFinder(text: string): (offset: number) => number {
  const starts = [0];
  for (let at = text.indexOf("\n"); at !== -1; at = text.indexOf("\n", at + 1)) starts.push(at + 1);
  return (offset) => {
    let [low, high] = [0, starts.length - 1];
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if ((starts[middle] ?? 0) <= offset) low = middle;
      else high = middle - 1;
    }
    return low + 1;
  };
}

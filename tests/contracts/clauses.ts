import { readFileSync } from "node:fs";
import type { ContractEndpoint } from "./endpoint.ts";

type Method = ContractEndpoint["method"];

/** An endpoint as a contract file names it. */
export type Clause = { readonly file: string; readonly line: number; readonly method: Method; readonly path: string };

const METHOD = "(?:GET|HEAD|POST|PUT|PATCH|DELETE)";
/** A table's row, a heading or a line that begins with methods and the paths they belong to. */
const NAMED = new RegExp(`^(?:\\| |#+ [0-9.]+ )?(${METHOD}(?: / ${METHOD})*) (\`.*)$`);

/** What each contract file's paths are relative to. */
const BASES: Record<string, readonly string[]> = {
  "device-registry.md": ["/api/v1", "/device-registry/api/v1", ""],
  "director.md": ["/api/v1"],
  "reposerver-keyserver.md": ["/api/v1/user_repo", "/api/v1", "/api/v1/root/:repoId", "/api/v2/user_repo", ""],
  "treehub.md": ["/api/v2", "/api/v3"],
  "campaigner.md": ["/api/v2"],
};

export const CONTRACT_FILES = Object.keys(BASES);

/** Every endpoint that the contract file names, in its order. */
export function readClauses(file: string): Clause[] {
  const lines = readFileSync(new URL(`../../docs/contracts/${file}`, import.meta.url), "utf8").split("\n");
  return lines.flatMap((text, index) => {
    const [, methods = "", rest = ""] = NAMED.exec(text) ?? [];
    const firstCell = rest.split(" |")[0] ?? "";
    const paths = [...firstCell.matchAll(/`(\/[^`]*|)`/g)].map(([, path = ""]) => path.replace(/\?.*$/, ""));
    return methods
      .split(" / ")
      .filter((method) => method !== "")
      .flatMap((method) => paths.map((path) => ({ file, line: index + 1, method: method as Method, path })));
  });
}

/** Whether a line of the report speaks of a clause: same method, same path, whatever the names of its parameters. */
export function covers(endpoint: ContractEndpoint, clause: Clause): boolean {
  if (endpoint.method !== clause.method) return false;
  return (BASES[clause.file] ?? []).some((base) => samePath(endpoint.path, base + clause.path));
}

function samePath(ours: string, theirs: string): boolean {
  const [a, b] = [split(ours), split(theirs)];
  if (a.at(-1)?.includes("*") === true && b.at(-1)?.includes("*") === true && (a.at(-1) === "*" || b.at(-1) === "*")) {
    const fixed = Math.min(a.length, b.length) - 1;
    return Math.abs(a.length - b.length) < 2 && sameSegments(a.slice(0, fixed), b.slice(0, fixed));
  }
  return a.length === b.length && sameSegments(a, b);
}

function sameSegments(a: readonly string[], b: readonly string[]): boolean {
  return a.every((segment, index) => segment === b[index]);
}

/** Parameters become `*`, but what follows one in its segment stays: `{n}.root.json` is `*.root.json`. */
function split(path: string): string[] {
  const shape = path.replace(/\{[^}]*\}|:[A-Za-z0-9_]+(?:\([^)]*\))?|…/g, "*");
  return shape.split("/").filter((segment) => segment !== "");
}

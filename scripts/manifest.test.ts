import { readFileSync } from "node:fs";
import { expect, it } from "vitest";

const read = (file: string) => readFileSync(new URL(`../${file}`, import.meta.url), "utf8");

it("gives a reason for every dependency, and for nothing else", () => {
  const manifest = JSON.parse(read("package.json")) as Record<string, Record<string, string>>;
  const kinds = [manifest.dependencies, manifest.optionalDependencies, manifest.devDependencies];
  const rows = [...read("docs/decisions/001-dependencies.md").matchAll(/^\| `([^`]+)` \| \S/gm)].map(
    ([, name]) => name,
  );
  expect(rows.sort()).toEqual(kinds.flatMap((kind) => Object.keys(kind ?? {})).sort());
});

it("pins every version exactly", () => {
  const manifest = JSON.parse(read("package.json")) as Record<string, Record<string, string>>;
  const versions = [manifest.dependencies, manifest.optionalDependencies, manifest.devDependencies].flatMap((kind) =>
    Object.values(kind ?? {}),
  );
  expect(versions.filter((version) => !/^\d+\.\d+\.\d+(-[\w.]+)?$/.test(version))).toEqual([]);
});

it("lets long-running scripts take the shell's place, which would keep npm's signals from them", () => {
  const { scripts } = JSON.parse(read("package.json")) as { scripts: Record<string, string> };
  const longRunning = Object.entries(scripts).filter(([name]) => /^(start|dev|device)\b/.test(name));
  expect(longRunning.filter(([, command]) => !command.startsWith("exec node "))).toEqual([]);
});

/**
 * `npm test`: every check, in the order in which they are cheapest to fail. Each prints its own summary; the last line is
 * `N passed, M failed`, counting each test and each check without tests of its own as one.
 */
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { ensureSystemTools } from "./system-tools.ts";

interface Check {
  readonly name: string;
  readonly command: readonly string[];
  /** Where its runner writes JSON with counts; a check without one counts as a single test. */
  readonly report?: { readonly file: string; read(json: string): Count };
  readonly env?: Record<string, string>;
}

interface Count {
  readonly passed: number;
  readonly failed: number;
  /** What failed, by file and name. */
  readonly failures: readonly string[];
}

const root = fileURLToPath(new URL("..", import.meta.url));
const artifacts = path.join(root, "artifacts");
const node = process.execPath;

process.chdir(root);
rmSync(artifacts, { recursive: true, force: true });
mkdirSync(artifacts, { recursive: true });
ensureSystemTools();

const outcomes: { name: string; seconds: number; count: Count }[] = [];
for (const check of planChecks()) {
  console.log(`\n=== ${check.name}: ${check.command.slice(1).join(" ")}`);
  const started = performance.now();
  const exitCode = await run(check);
  outcomes.push({ name: check.name, seconds: (performance.now() - started) / 1000, count: countOf(check, exitCode) });
}
summarise();

function planChecks(): Check[] {
  return [
    { name: "client", command: [node, "scripts/generate.ts"] },
    {
      name: "format and lint",
      command: bin("biome", "ci", "--error-on-warnings", `--colors=${process.stdout.isTTY ? "force" : "off"}`),
    },
    { name: "directions", command: [node, "scripts/check-directions.ts"] },
    { name: "route types", command: bin("next", "typegen"), env: { NEXT_TELEMETRY_DISABLED: "1" } },
    { name: "types", command: bin("tsc", "--noEmit", "-p", ".") },
    { name: "unused code", command: bin("knip", "--no-progress") },
    vitest("unit and integration", ["--project=unit", "--project=integration"]),
    { name: "build", command: [node, "scripts/build.ts"] },
    // One whole install at a time: each is a handful of processes, and what they promise in seconds is measured.
    vitest("system", ["--project=system", "--no-file-parallelism"]),
    playwright(),
  ];
}

function vitest(name: string, options: readonly string[]): Check {
  const file = path.join(artifacts, `vitest-${name.replaceAll(" ", "-")}.json`);
  return {
    name,
    command: bin("vitest", "run", ...options, "--reporter=default", "--reporter=json", `--outputFile.json=${file}`),
    report: {
      file,
      read(json) {
        const { numPassedTests, testResults } = JSON.parse(json) as VitestReport;
        const failures = testResults.flatMap(({ name, status, assertionResults }) => {
          const failed = assertionResults.filter((test) => test.status === "failed").map((test) => test.fullName);
          // A file that does not even load has no failed test of its own.
          const said = failed.length === 0 && status === "failed" ? ["(the file itself)"] : failed;
          return said.map((test) => `${path.relative(root, name)}: ${test}`);
        });
        return { passed: numPassedTests, failed: failures.length, failures };
      },
    },
  };
}

interface VitestReport {
  numPassedTests: number;
  testResults: { name: string; status: string; assertionResults: { status: string; fullName: string }[] }[];
}

function playwright(): Check {
  const file = path.join(artifacts, "playwright.json");
  return {
    name: "browser",
    command: bin("playwright", "test", "--reporter=list,json"),
    env: { PLAYWRIGHT_JSON_OUTPUT_NAME: file },
    report: {
      file,
      read(json) {
        const { stats, errors, suites } = JSON.parse(json) as PlaywrightReport;
        const failures = [...suites.flatMap(unexpectedOf), ...errors.map(({ message }) => message ?? "an error")];
        return { passed: stats.expected + stats.flaky, failed: stats.unexpected + errors.length, failures };
      },
    },
  };
}

interface PlaywrightReport {
  stats: { expected: number; unexpected: number; flaky: number };
  errors: { message?: string }[];
  suites: PlaywrightSuite[];
}

interface PlaywrightSuite {
  file: string;
  specs?: { title: string; tests: { status: string }[] }[];
  suites?: PlaywrightSuite[];
}

function unexpectedOf({ file, specs = [], suites = [] }: PlaywrightSuite): string[] {
  const failed = specs.filter(({ tests }) => tests.some(({ status }) => status === "unexpected"));
  return [...failed.map(({ title }) => `${file}: ${title}`), ...suites.flatMap(unexpectedOf)];
}

function bin(name: string, ...args: string[]): string[] {
  return [path.join(root, "node_modules", ".bin", name), ...args];
}

function run({ command: [program = "", ...args], env }: Check): Promise<number> {
  // Whatever shebang a tool has, it runs on the Node that the product runs on.
  const PATH = [path.dirname(node), process.env.PATH ?? ""].join(path.delimiter);
  const child = spawn(program, args, { stdio: "inherit", env: { ...process.env, PATH, ...env } });
  return new Promise((resolve) => {
    child.once("error", (error) => {
      console.error(error.message);
      resolve(1);
    });
    child.once("close", (code) => resolve(code ?? 1));
  });
}

/** A runner that failed without saying how many tests did counts as one failure. */
function countOf({ report }: Check, exitCode: number): Count {
  if (report === undefined || !existsSync(report.file)) {
    return exitCode === 0 ? { passed: 1, failed: 0, failures: [] } : { passed: 0, failed: 1, failures: [] };
  }
  const count = report.read(readFileSync(report.file, "utf8"));
  return exitCode !== 0 && count.failed === 0 ? { ...count, failed: 1 } : count;
}

function summarise(): void {
  console.log("\n=== summary");
  for (const { name, seconds, count } of outcomes) {
    const verdict = count.failed === 0 ? "ok    " : "FAILED";
    console.log(
      `${verdict} ${name.padEnd(22)} ${seconds.toFixed(1).padStart(7)} s  ${count.passed} passed, ${count.failed} failed`,
    );
  }
  for (const { count } of outcomes) {
    for (const failure of count.failures.slice(0, 20))
      console.log(`failed ${failure.replaceAll(/\s+/g, " ").slice(0, 200)}`);
  }
  const sum = (of: (count: Count) => number) => outcomes.reduce((total, { count }) => total + of(count), 0);
  const last = `${sum((count) => count.passed)} passed, ${sum((count) => count.failed)} failed`;
  writeFileSync(path.join(artifacts, "summary.txt"), `${last}\n`);
  console.log(last);
  process.exitCode = sum((count) => count.failed) === 0 ? 0 : 1;
}

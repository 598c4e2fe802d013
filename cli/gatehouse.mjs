#!/usr/bin/env node
// The `gatehouse` command. Plain JavaScript that old versions of Node can read: it finds Node 24, which npm brought as an
// optional dependency, and continues there. Everything else is cli/main.ts.
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import module from "node:module";
import { constants } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const NEEDED = "24.2";
const OLDEST_LAUNCHER = "20.19";

const here = dirname(fileURLToPath(import.meta.url));

if (isAtLeast(NEEDED)) {
  module.enableCompileCache(join(here, "..", "node_modules", ".cache", "gatehouse-code"));
  const { main } = await import("./main.ts");
  await main(process.argv.slice(2));
} else if (!isAtLeast(OLDEST_LAUNCHER)) {
  fail(`Gatehouse needs Node ${OLDEST_LAUNCHER} or newer to start; this is Node ${process.versions.node}.`);
} else {
  const node = findNode24();
  if (node === null) {
    fail(
      `Gatehouse runs on Node ${NEEDED} or newer; this is Node ${process.versions.node}, and npm brought no newer one for ` +
        `${process.platform}-${process.arch}. Run "npm install" again, or install Node 24 yourself.`,
    );
  } else {
    continueUnder(node);
  }
}

/** @param {string} version */
function isAtLeast(version) {
  const [major, minor] = version.split(".").map(Number);
  const [ourMajor, ourMinor] = process.versions.node.split(".").map(Number);
  return ourMajor > major || (ourMajor === major && ourMinor >= minor);
}

function findNode24() {
  for (let folder = join(here, ".."); ; folder = dirname(folder)) {
    const node = join(folder, "node_modules", `node-${process.platform}-${process.arch}`, "bin", "node");
    if (existsSync(node)) return node;
    if (folder === dirname(folder)) return null;
  }
}

/** @param {string} node */
function continueUnder(node) {
  // The channel tells the continued process when this one is killed: nothing is left running behind.
  const child = spawn(node, [fileURLToPath(import.meta.url), ...process.argv.slice(2)], {
    stdio: ["inherit", "inherit", "inherit", "ipc"],
  });
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
  child.on("error", (error) => fail(`The Node at ${node} does not start: ${error.message}.`));
  child.on("exit", (code, signal) => process.exit(code ?? 128 + constants.signals[signal]));
}

/** @param {string} sentence */
function fail(sentence) {
  process.stderr.write(`${sentence}\n`);
  process.exit(1);
}

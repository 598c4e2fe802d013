#!/usr/bin/env node
// The `gatehouse` command. Plain JavaScript that old versions of Node can read: it finds Node 24, which npm brought as an
// optional dependency, and continues there. Everything else is cli/main.ts.
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { constants } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const NEEDED_MAJOR = 24;
const OLDEST_LAUNCHER = [20, 19];

const here = dirname(fileURLToPath(import.meta.url));
const [major, minor] = process.versions.node.split(".").map(Number);

if (major >= NEEDED_MAJOR) {
  const { main } = await import("./main.ts");
  await main(process.argv.slice(2));
} else if (major < OLDEST_LAUNCHER[0] || (major === OLDEST_LAUNCHER[0] && minor < OLDEST_LAUNCHER[1])) {
  fail(`Gatehouse needs Node ${OLDEST_LAUNCHER.join(".")} or newer to start; this is Node ${process.versions.node}.`);
} else {
  const node = findNode24();
  if (node === null) {
    fail(
      `Gatehouse runs on Node ${NEEDED_MAJOR}; this is Node ${process.versions.node}, and npm brought no newer one for ` +
        `${process.platform}-${process.arch}. Run "npm install" again, or install Node ${NEEDED_MAJOR} yourself.`,
    );
  } else {
    continueUnder(node);
  }
}

function findNode24() {
  const name = `node-${process.platform}-${process.arch}`;
  const names = [name, name.replace("node-", "node-bin-")];
  for (let folder = join(here, ".."); ; folder = dirname(folder)) {
    for (const candidate of names) {
      const node = join(folder, "node_modules", candidate, "bin", "node");
      if (existsSync(node)) return node;
    }
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
  child.on("error", (error) => fail(`Node ${NEEDED_MAJOR} at ${node} does not start: ${error.message}.`));
  child.on("exit", (code, signal) => process.exit(code ?? 128 + constants.signals[signal]));
}

/** @param {string} sentence */
function fail(sentence) {
  process.stderr.write(`${sentence}\n`);
  process.exit(1);
}

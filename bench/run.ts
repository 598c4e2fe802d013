/** `npm run bench`, with what to measure. Starts and removes an install of its own. */
import { argv } from "node:process";

const BENCHES: Readonly<Record<string, () => Promise<unknown>>> = {
  "build-tools": () => import("./build-tools.ts"),
  revocation: () => import("./revocation.ts"),
  everyone: () => import("./everyone.ts"),
  door: () => import("./door.ts"),
  trust: () => import("./trust.ts"),
};

const wanted = argv[2] ?? "build-tools";
const bench = BENCHES[wanted];
if (bench === undefined) {
  console.error(`There is no benchmark ${wanted}. There are: ${Object.keys(BENCHES).join(", ")}.`);
  process.exitCode = 1;
} else await bench();

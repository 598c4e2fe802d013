import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Runs the system's `openssl` in a folder of its own, so that our certificates meet an implementation that is not ours. */
export type OpensslFolder = {
  run(args: string): string;
  write(name: string, text: string): void;
  read(name: string): string;
  remove(): void;
};

export function openssl(): OpensslFolder {
  const folder = mkdtempSync(join(tmpdir(), "gatehouse-openssl-"));
  return {
    run: (args) =>
      execFileSync("openssl", args.split(" "), { cwd: folder, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] }),
    write: (name, text) => writeFileSync(join(folder, name), text),
    read: (name) => readFileSync(join(folder, name), "utf8"),
    remove: () => rmSync(folder, { recursive: true }),
  };
}

import { execFileSync, spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Runs the system's `openssl` in a folder of its own, so that our certificates meet an implementation that is not ours. */
export type OpensslFolder = {
  readonly path: string;
  run(args: string): string;
  /** All it prints, whatever its exit code. */
  tell(args: string): string;
  /** Without blocking, for what talks to a server of this process; all it prints, whatever its exit code. */
  talk(args: string, input?: string): Promise<string>;
  /** Runs command lines that people are shown, as they stand. */
  shell(lines: readonly string[]): void;
  write(name: string, text: string): void;
  read(name: string): string;
  remove(): void;
};

export function openssl(): OpensslFolder {
  const folder = mkdtempSync(join(tmpdir(), "gatehouse-openssl-"));
  return {
    path: folder,
    run: (args) =>
      execFileSync("openssl", args.split(" "), { cwd: folder, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] }),
    tell(args) {
      const { stdout, stderr } = spawnSync("openssl", args.split(" "), { cwd: folder, encoding: "utf8" });
      return stdout + stderr;
    },
    talk: (args, input = "") =>
      new Promise((done, fail) => {
        const child = spawn("openssl", args.split(" "), { cwd: folder, timeout: 15_000 });
        let printed = "";
        for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk: Buffer) => (printed += chunk));
        child.on("error", fail);
        child.on("close", () => done(printed));
        child.stdin.end(input);
      }),
    shell: (lines) => {
      execFileSync("bash", ["-e", "-c", lines.join("\n")], { cwd: folder, stdio: ["ignore", "pipe", "pipe"] });
    },
    write: (name, text) => writeFileSync(join(folder, name), text),
    read: (name) => readFileSync(join(folder, name), "utf8"),
    remove: () => rmSync(folder, { recursive: true }),
  };
}

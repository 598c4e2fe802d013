import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Runs the real `ostree`. @returns what it prints, without the last line's end */
export function ostree(...args: string[]): string {
  return execFileSync("ostree", args, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] }).trimEnd();
}

export type TestRepository = {
  readonly path: string;
  /** A new version of the tree, with `files` changed, on branch `master`. @returns its commit */
  commit(files: Readonly<Record<string, string | Buffer>>, subject?: string): string;
  /** `<64 hex>.<kind>` of everything in it. */
  objects(): string[];
  pathOf(object: string): string;
};

/** A repository in archive mode, with a tree that has all OSTree knows: links, programs, empty and long files, folders in folders. */
export function createTestRepository(): TestRepository {
  const folder = mkdtempSync(join(tmpdir(), "gatehouse-ostree-"));
  const path = join(folder, "repo");
  const tree = join(folder, "tree");
  ostree(`--repo=${path}`, "init", "--mode=archive");
  ostree(`--repo=${path}`, "config", "set", "core.fsync", "false");
  for (const below of ["usr/bin", "usr/lib/empty", "etc"]) mkdirSync(join(tree, below), { recursive: true });
  writeFileSync(join(tree, "usr/bin/program"), "#!/bin/sh\nexit 0\n");
  chmodSync(join(tree, "usr/bin/program"), 0o755);
  writeFileSync(join(tree, "etc/nothing"), "");
  writeFileSync(join(tree, "etc/zeros"), Buffer.alloc(3_000_000));
  symlinkSync("usr/bin", join(tree, "bin"));
  // Together with what is around it this one's header takes more than 255 bytes, so its offsets take two.
  symlinkSync("../".repeat(90), join(tree, "etc/far"));
  let parent: string | null = null;
  return {
    path,
    commit(files, subject = "a version") {
      for (const [name, content] of Object.entries(files)) {
        mkdirSync(join(tree, name, ".."), { recursive: true });
        writeFileSync(join(tree, name), content);
      }
      const line = parent === null ? [] : [`--parent=${parent}`];
      parent = ostree(
        `--repo=${path}`,
        "commit",
        "--branch=master",
        `--subject=${subject}`,
        ...line,
        `--tree=dir=${tree}`,
      );
      return parent;
    },
    objects: () =>
      readdirSync(join(path, "objects")).flatMap((start) =>
        readdirSync(join(path, "objects", start)).map((rest) => `${start}${rest}`),
      ),
    pathOf: (object) => join(path, "objects", object.slice(0, 2), object.slice(2)),
  };
}

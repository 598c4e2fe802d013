import { AppError } from "#lib/errors/app-error.ts";
import type { ErrorCode } from "#lib/errors/codes.ts";
import { formatObjectName, type ObjectKind, type ObjectName } from "./names.ts";
import { parseCommit, parseDirTree } from "./objects.ts";
import { verifiedObject } from "./verify.ts";

/** Where a walk finds objects. */
export type ObjectSource = {
  /** Which of these (at most 500) there are. */
  findPresent(names: readonly string[]): Promise<ReadonlySet<string>>;
  /** @returns null when there are no such bytes after all */
  open(name: ObjectName): Promise<AsyncIterable<Uint8Array> | null>;
};

export type ObjectProblem = {
  readonly object: string;
  /** Where in the tree; empty for the commit itself. */
  readonly path: string;
  /** `ostree.*`: why its bytes are wrong; `ota.object_missing`: it is not there. */
  readonly code: ErrorCode;
  readonly text: string;
};

export type CommitCheck = {
  /** What was found right: each object once. */
  readonly objects: Record<Exclude<ObjectKind, "commitmeta">, number>;
  readonly bytes: number;
  /** The first that is missing or wrong; null when all is right. */
  readonly problem: ObjectProblem | null;
};

/** A tree of trees may name one object again and again; nothing real comes near this. */
const MAX_VISITS = 2_000_000;
/** What is remembered of the objects that were right: a full set is begun anew, which costs time and never memory. */
const MAX_REMEMBERED = 200_000;
const BATCH = 500;
const WIDTH = 8;

/**
 * Checks a commit and everything below it, each object's bytes against its name; its parent is not part of it. Stops at the first
 * problem.
 */
export async function checkCommitTree(commit: string, source: ObjectSource): Promise<CommitCheck> {
  const walk = new Walk(source);
  await walk.run(commit);
  return { objects: walk.objects, bytes: walk.bytes, problem: walk.problem };
}

type Found = { readonly name: ObjectName; readonly path: string };

class Walk {
  readonly objects = { commit: 0, dirtree: 0, dirmeta: 0, filez: 0 };
  bytes = 0;
  problem: ObjectProblem | null = null;
  readonly #source: ObjectSource;
  readonly #right = new Set<string>();
  #visits = 0;

  constructor(source: ObjectSource) {
    this.#source = source;
  }

  async run(commit: string): Promise<void> {
    const top: Found = { name: { checksum: commit, kind: "commit" }, path: "" };
    if (!(await this.#arePresent([top]))) return;
    const parsed = await this.#parse(top, parseCommit);
    if (parsed === null) return;
    const root: Found = { name: { checksum: parsed.rootTree, kind: "dirtree" }, path: "/" };
    if (!(await this.#checkAll([root, { name: { checksum: parsed.rootMeta, kind: "dirmeta" }, path: "/" }]))) return;
    const waiting = [root];
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      const dirs = await this.#checkDirectory(next);
      if (dirs === null) return;
      waiting.push(...dirs);
    }
  }

  /** @returns the directories in it that are still to be walked; null when there is a problem */
  async #checkDirectory(directory: Found): Promise<Found[] | null> {
    const tree = await this.#parse(directory, parseDirTree);
    if (tree === null) return null;
    const below = (name: string) => `${directory.path}${name}`;
    const dirs: Found[] = tree.dirs.map((dir) => ({
      name: { checksum: dir.tree, kind: "dirtree" },
      path: `${below(dir.name)}/`,
    }));
    const metas: Found[] = tree.dirs.map((dir) => ({
      name: { checksum: dir.meta, kind: "dirmeta" },
      path: `${below(dir.name)}/`,
    }));
    const files: Found[] = tree.files.map((file) => ({
      name: { checksum: file.checksum, kind: "filez" },
      path: below(file.name),
    }));
    const fresh = dirs.filter(({ name }) => !this.#right.has(formatObjectName(name)));
    return (await this.#checkAll([...fresh, ...metas, ...files])) ? fresh : null;
  }

  /** Directories are only looked for here: their bytes are checked when they are read. */
  async #checkAll(found: readonly Found[]): Promise<boolean> {
    const fresh = found.filter(({ name }) => !this.#right.has(formatObjectName(name)));
    for (let at = 0; at < fresh.length; at += BATCH) {
      const batch = fresh.slice(at, at + BATCH);
      if (!(await this.#arePresent(batch))) return false;
      const others = batch.filter(({ name }) => name.kind !== "dirtree").values();
      await Promise.all(
        Array.from({ length: WIDTH }, async () => {
          for (const one of others) if ((await this.#check(one)) === null) return;
        }),
      );
      if (this.problem !== null) return false;
    }
    return true;
  }

  async #arePresent(batch: readonly Found[]): Promise<boolean> {
    this.#visits += batch.length;
    const [first] = batch;
    if (this.#visits > MAX_VISITS && first !== undefined) {
      return this.#fail(first, new AppError("ostree.too_large", "The commit's tree is larger than is checked here."));
    }
    const present = await this.#source.findPresent(batch.map(({ name }) => formatObjectName(name)));
    const missing = batch.find(({ name }) => !present.has(formatObjectName(name)));
    return missing === undefined || this.#fail(missing, new AppError("ota.object_missing", "The object is missing."));
  }

  async #parse<T>(one: Found, parse: (bytes: Buffer) => T): Promise<T | null> {
    const bytes = await this.#check(one);
    if (bytes === null) return null;
    try {
      return parse(bytes);
    } catch (error) {
      this.#fail(one, error);
      return null;
    }
  }

  /** @returns the bytes of a commit or directory, nothing of others; null when there is a problem, with this object or another */
  async #check(one: Found): Promise<Buffer | null> {
    if (this.problem !== null) return null;
    const name = formatObjectName(one.name);
    const kept: Uint8Array[] = [];
    let length = 0;
    try {
      const bytes = await this.#source.open(one.name);
      if (bytes === null) throw new AppError("ota.object_missing", "The object is missing.");
      for await (const chunk of verifiedObject(one.name, bytes)) {
        length += chunk.byteLength;
        if (one.name.kind === "commit" || one.name.kind === "dirtree") kept.push(chunk);
      }
    } catch (error) {
      this.#fail(one, error);
      return null;
    }
    this.#remember(name, one.name.kind, length);
    return Buffer.concat(kept);
  }

  #remember(name: string, kind: ObjectKind, length: number): void {
    if (this.#right.has(name) || kind === "commitmeta") return;
    if (this.#right.size >= MAX_REMEMBERED) this.#right.clear();
    this.#right.add(name);
    this.objects[kind] += 1;
    this.bytes += length;
  }

  /** What is wrong with an object is a finding; anything else is trouble of our own and passes. */
  #fail({ name, path }: Found, error: unknown): false {
    if (!(error instanceof AppError) || !(error.code.startsWith("ostree.") || error.code === "ota.object_missing")) {
      throw error;
    }
    this.problem ??= { object: formatObjectName(name), path, code: error.code, text: error.message };
    return false;
  }
}

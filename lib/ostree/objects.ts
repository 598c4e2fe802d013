import { AppError } from "#lib/errors/app-error.ts";
import { Container, readString } from "./gvariant.ts";
import { METADATA_MAX_BYTES, parseChecksum } from "./names.ts";

export type Commit = {
  /** Null for the first of its line. */
  readonly parent: string | null;
  readonly subject: string;
  readonly committedAt: Date;
  readonly rootTree: string;
  readonly rootMeta: string;
};

export type DirTree = {
  readonly files: readonly { readonly name: string; readonly checksum: string }[];
  readonly dirs: readonly { readonly name: string; readonly tree: string; readonly meta: string }[];
};

/**
 * A commit object, `(a{sv}aya(say)sstayay)`.
 *
 * @throws AppError `ostree.malformed` | `ostree.too_large`
 */
export function parseCommit(bytes: Buffer): Commit {
  assertSize(bytes);
  const { ends, table } = new Container(bytes).ends(6);
  const [metadataEnd = 0, parentEnd = 0, relatedEnd = 0, subjectEnd = 0, bodyEnd = 0, treeEnd = 0] = ends;
  const timeAt = Math.ceil(bodyEnd / 8) * 8;
  if (timeAt + 8 > treeEnd) throw new AppError("ostree.malformed", "The commit has no time.");
  const parent = bytes.subarray(metadataEnd, parentEnd);
  const seconds = Number(bytes.readBigUInt64BE(timeAt));
  if (seconds > MAX_SECONDS) throw new AppError("ostree.malformed", "The commit's time is beyond every calendar.");
  return {
    parent: parent.length === 0 ? null : parseChecksum(parent),
    subject: readString(bytes.subarray(relatedEnd, subjectEnd)),
    committedAt: new Date(seconds * 1_000),
    rootTree: parseChecksum(bytes.subarray(timeAt + 8, treeEnd)),
    rootMeta: parseChecksum(bytes.subarray(treeEnd, table)),
  };
}

/**
 * A directory's names, `(a(say)a(sayay))`. Names that could lead out of the directory are refused.
 *
 * @throws AppError `ostree.malformed` | `ostree.too_large`
 */
export function parseDirTree(bytes: Buffer): DirTree {
  assertSize(bytes);
  const { ends, table } = new Container(bytes).ends(1);
  const [filesEnd = 0] = ends;
  const files = new Container(bytes.subarray(0, filesEnd)).elements().map((element) => {
    const { members, name } = parseEntry(element, 1);
    return { name, checksum: parseChecksum(members[0] ?? element) };
  });
  const dirs = new Container(bytes.subarray(filesEnd, table)).elements().map((element) => {
    const { members, name } = parseEntry(element, 2);
    return { name, tree: parseChecksum(members[0] ?? element), meta: parseChecksum(members[1] ?? element) };
  });
  return { files, dirs };
}

/** What a JavaScript date can hold. */
const MAX_SECONDS = 8_640_000_000_000;

/** A name and then `count` byte strings. */
function parseEntry(element: Buffer, count: number): { name: string; members: Buffer[] } {
  const { ends, table } = new Container(element).ends(count);
  const bounds = [...ends, table];
  const name = readString(element.subarray(0, bounds[0]));
  if (name === "" || name === "." || name === ".." || name.includes("/")) {
    throw new AppError("ostree.malformed", "A directory has a name that is none.");
  }
  return { name, members: bounds.slice(1).map((end, index) => element.subarray(bounds[index], end)) };
}

function assertSize(bytes: Buffer): void {
  if (bytes.length > METADATA_MAX_BYTES) {
    throw new AppError("ostree.too_large", `Metadata objects have at most ${METADATA_MAX_BYTES} bytes.`);
  }
}

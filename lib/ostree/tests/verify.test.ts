import { createHash, randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { deflateRawSync } from "node:zlib";
import { beforeAll, describe, expect, it } from "vitest";
import { isAppError } from "#lib/errors/app-error.ts";
import { findObjectName, METADATA_MAX_BYTES, type ObjectName } from "#lib/ostree/names.ts";
import { parseCommit, parseDirTree } from "#lib/ostree/objects.ts";
import { verifiedObject } from "#lib/ostree/verify.ts";
import { createTestRepository, type TestRepository } from "#tests/harness/ostree.ts";

let repository: TestRepository;
let first: string;
let second: string;

beforeAll(() => {
  repository = createTestRepository();
  first = repository.commit({ "usr/lib/random": randomBytes(400_000), "etc/version": "1" }, "first");
  second = repository.commit({ "etc/version": "2", "etc/ümläut": "x" }, "second");
});

function nameOf(object: string): ObjectName {
  const name = findObjectName(object);
  if (name === null) throw new Error(`no object name: ${object}`);
  return name;
}

async function* inPieces(bytes: Buffer, size: number): AsyncIterable<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

/** "ok", when all bytes came through unchanged, or the code of the refusal. */
async function verdict(name: ObjectName, bytes: Buffer, size = 50_000): Promise<string> {
  const passed: Uint8Array[] = [];
  try {
    for await (const piece of verifiedObject(name, inPieces(bytes, size))) passed.push(piece);
  } catch (error) {
    if (isAppError(error)) return error.code;
    throw error;
  }
  return Buffer.concat(passed).equals(bytes) ? "ok" : "changed on the way";
}

function flipped(bytes: Buffer, at: number): Buffer {
  const copy = Buffer.from(bytes);
  copy.writeUInt8(copy.readUInt8(at) ^ 1, at);
  return copy;
}

const oneOf = (kind: string, isFit: (bytes: Buffer) => boolean = () => true) => {
  const object = repository
    .objects()
    .find((name) => name.endsWith(`.${kind}`) && isFit(readFileSync(repository.pathOf(name))));
  if (object === undefined) throw new Error(`no such ${kind}`);
  return { name: nameOf(object), bytes: readFileSync(repository.pathOf(object)) };
};
const isFile = (bytes: Buffer) => (bytes.readUInt32BE(24) & 0o170_000) === 0o100_000;

describe("an object of a real repository", () => {
  it("verifies, each and in pieces of any size", async () => {
    const objects = repository.objects();
    expect(new Set(objects.map((object) => nameOf(object).kind))).toEqual(
      new Set(["commit", "dirtree", "dirmeta", "filez"]),
    );
    for (const object of objects) {
      const bytes = readFileSync(repository.pathOf(object));
      for (const size of bytes.length < 500 ? [1, 7, 50_000] : [50_000]) {
        expect([object, await verdict(nameOf(object), bytes, size)]).toEqual([object, "ok"]);
      }
    }
  });

  it.each(["commit", "dirtree", "dirmeta"])(
    "of kind %s with one bit changed is refused by a code of its own",
    async (kind) => {
      const { name, bytes } = oneOf(kind);
      expect(await verdict(name, flipped(bytes, bytes.length - 1))).toBe(`ostree.${kind}_mismatch`);
      expect(await verdict(name, bytes.subarray(0, -1))).toBe(`ostree.${kind}_mismatch`);
    },
  );

  it("of kind filez is refused for another owner, for another content, for a broken one", async () => {
    const { name, bytes } = oneOf("filez", (it) => isFile(it) && it.length > 100_000);
    expect(await verdict(name, flipped(bytes, 19))).toBe("ostree.file_mismatch");
    expect(await verdict(name, flipped(bytes, 200_000))).toBe("ostree.file_mismatch");
    expect(await verdict(name, bytes.subarray(0, 200_000))).toBe("ostree.file_malformed");
    expect(await verdict(name, bytes.subarray(0, 20))).toBe("ostree.file_malformed");
    expect(await verdict(name, Buffer.concat([bytes, Buffer.from("more")]))).toBe("ostree.file_malformed");
    expect(await verdict(name, flipped(bytes, 15))).toBe("ostree.file_malformed");
  });

  it("is refused under another's name", async () => {
    const { bytes } = oneOf("filez");
    expect(await verdict({ checksum: "0".repeat(64), kind: "filez" }, bytes)).toBe("ostree.file_mismatch");
  });
});

describe("a file object", () => {
  /** Written out by hand: the header's value is 8+16 bytes, the target's NUL, one attribute `("user.a\0", "b")`, its end, the target's end. */
  const attribute = Buffer.from("user.a\0b\x07");
  const variable = Buffer.concat([Buffer.from([0]), attribute, Buffer.from([attribute.length])]);
  const numbers = Buffer.from("000003e8000003e9000081a400000000", "hex");
  const frame = (value: Buffer) => Buffer.concat([Buffer.from([0, 0, 0, value.length, 0, 0, 0, 0]), value]);
  const size = (bytes: number) => Buffer.from(bytes.toString(16).padStart(16, "0"), "hex");
  const archived = (contentBytes: number, compressed: Buffer) =>
    Buffer.concat([frame(Buffer.concat([size(contentBytes), numbers, variable, Buffer.from([25])])), compressed]);
  const checksum = (content: Buffer) =>
    createHash("sha256")
      .update(frame(Buffer.concat([numbers, variable, Buffer.from([17])])))
      .update(content)
      .digest("hex");
  const name = (content: Buffer): ObjectName => ({ checksum: checksum(content), kind: "filez" });

  it("counts its owner and its extended attributes", async () => {
    const content = Buffer.from("hello");
    expect(await verdict(name(content), archived(5, deflateRawSync(content)))).toBe("ok");
  });

  it("inflates no further than its header says", async () => {
    const zeros = Buffer.alloc(50_000_000);
    const bomb = archived(10, deflateRawSync(zeros));
    expect(bomb.length).toBeLessThan(60_000);
    expect(await verdict(name(zeros), bomb)).toBe("ostree.file_malformed");
  });

  it("has as much content as its header says", async () => {
    const content = Buffer.from("hello");
    expect(await verdict(name(content), archived(6, deflateRawSync(content)))).toBe("ostree.file_malformed");
  });

  it("is never a device node, a link with content, or a header without end", async () => {
    const bytes = archived(5, deflateRawSync(Buffer.from("hello")));
    const device = Buffer.from(bytes);
    device.writeUInt32BE(0o20_644, 24);
    const link = Buffer.from(bytes);
    link.writeUInt32BE(0o120_777, 24);
    const endless = Buffer.from(bytes);
    endless.writeUInt32BE(0x7fff_ffff, 0);
    for (const broken of [device, link, endless]) {
      expect(await verdict(name(Buffer.from("hello")), broken)).toBe("ostree.file_malformed");
    }
  });
});

describe("metadata", () => {
  it("is refused when it is larger than devices accept", async () => {
    const large = Buffer.alloc(METADATA_MAX_BYTES + 1);
    const checksum = createHash("sha256").update(large).digest("hex");
    expect(await verdict({ checksum, kind: "dirtree" }, large)).toBe("ostree.too_large");
    expect(await verdict({ checksum, kind: "commitmeta" }, large)).toBe("ostree.too_large");
  });

  it("of a commit tells its parent, its subject and its tree", () => {
    const commit = parseCommit(readFileSync(repository.pathOf(`${second}.commit`)));
    expect([commit.parent, commit.subject]).toEqual([first, "second"]);
    expect(Math.abs(commit.committedAt.getTime() - Date.now())).toBeLessThan(60_000);
    expect(parseCommit(readFileSync(repository.pathOf(`${first}.commit`))).parent).toBeNull();
  });

  it("leads from a commit to every object of its tree", () => {
    const { rootTree, rootMeta } = parseCommit(readFileSync(repository.pathOf(`${second}.commit`)));
    const seen = new Map([[`${rootMeta}.dirmeta`, ""]]);
    const walk = (tree: string, path: string) => {
      seen.set(`${tree}.dirtree`, path);
      const { files, dirs } = parseDirTree(readFileSync(repository.pathOf(`${tree}.dirtree`)));
      for (const file of files) seen.set(`${file.checksum}.filez`, `${path}/${file.name}`);
      for (const dir of dirs) {
        seen.set(`${dir.meta}.dirmeta`, "");
        walk(dir.tree, `${path}/${dir.name}`);
      }
    };
    walk(rootTree, "");
    expect([...seen.values()]).toEqual(
      expect.arrayContaining(["/etc/ümläut", "/usr/bin/program", "/etc/far", "/usr/lib/empty"]),
    );
    for (const object of seen.keys()) expect(repository.objects()).toContain(object);
  });

  it("that is cut off, or leads out of its directory, is refused and never misread", () => {
    const codes = new Set<string>();
    const read = (parse: (bytes: Buffer) => unknown, bytes: Buffer) => {
      try {
        parse(bytes);
      } catch (error) {
        codes.add(isAppError(error) ? error.code : String(error));
      }
    };
    const { bytes: tree } = oneOf("dirtree", (it) => it.includes("version"));
    const commit = readFileSync(repository.pathOf(`${second}.commit`));
    for (let length = 0; length < tree.length; length += 1) read(parseDirTree, tree.subarray(0, length));
    for (let length = 0; length < commit.length; length += 1) read(parseCommit, commit.subarray(0, length));
    for (let at = 0; at < tree.length; at += 1) read(parseDirTree, flipped(tree, at));
    for (let at = 0; at < commit.length; at += 1) read(parseCommit, flipped(commit, at));
    expect([...codes]).toEqual(["ostree.malformed"]);
    const outward = Buffer.from(tree);
    outward.write("../.../", tree.indexOf("version"));
    expect(() => parseDirTree(outward)).toThrow(expect.objectContaining({ code: "ostree.malformed" }));
  });
});

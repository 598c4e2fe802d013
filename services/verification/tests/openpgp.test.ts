import { createHash, randomBytes } from "node:crypto";
import { Readable } from "node:stream";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { isAppError } from "#lib/errors/app-error.ts";
import { checkSignature, formOf, readTrustedKey, type TrustedKey } from "#services/verification/openpgp.ts";
import { type Gnupg, startGnupg } from "#tests/harness/gnupg.ts";

const CONTENT = randomBytes(3_000_000);
const sha256 = createHash("sha256").update(CONTENT).digest("hex");
const OTHER = "0".repeat(64);
const NOW = () => new Date(Date.now() + 60_000);

let gpg: Gnupg;
let trusted: TrustedKey[];

beforeAll(async () => {
  gpg = startGnupg();
  gpg.makeKey("maker@example.test");
  gpg.makeKey("stranger@example.test");
  trusted = [await readTrustedKey(Buffer.from(gpg.publicKey("maker@example.test")), NOW())];
});
afterAll(() => gpg.close());

const subject = (content: Buffer = CONTENT) => ({
  filename: "app_1",
  sha256,
  open: async () => Readable.from(chunksOf(content), { objectMode: false }),
});
function* chunksOf(bytes: Buffer) {
  for (let at = 0; at < bytes.length; at += 65_536) yield bytes.subarray(at, at + 65_536);
}
const container = (digest: string) =>
  JSON.stringify({
    critical: {
      type: "atomic container signature",
      image: { "docker-manifest-digest": `sha256:${digest}` },
      identity: { "docker-reference": "registry.example.test/app:1" },
    },
    optional: {},
  });
const bare = (digest: string) =>
  JSON.stringify({ critical: { image: { "docker-manifest-digest": `sha256:${digest}` } } });
const sums = (digest: string, name = "rootfs.img") => `${OTHER}  other.img\n${digest}  ${name}\n`;
const maker = (content: Buffer | string, ...how: string[]) => ({
  signature: gpg.sign("maker@example.test", content, ...how),
  document: null,
});
const apart = (text: string) => ({ signature: maker(text, "--detach-sign").signature, document: Buffer.from(text) });
const flipped = (bytes: Buffer, at: number) => {
  const copy = Buffer.from(bytes);
  copy[at] = (copy[at] ?? 0) ^ 1;
  return copy;
};

async function check(files: { signature: Buffer; document: Buffer | null }, content?: Buffer): Promise<string> {
  try {
    const form = await formOf(files);
    const fingerprint = await checkSignature({ ...files, form }, subject(content), { trusted, now: NOW() });
    return `${form} ${fingerprint === trusted[0]?.fingerprint ? "by the maker" : fingerprint}`;
  } catch (error) {
    if (!isAppError(error)) throw error;
    return error.code;
  }
}

describe("an OpenPGP signature", () => {
  it.each([
    ["of the container form", () => maker(container(sha256), "--sign"), "container by the maker"],
    ["of the container form, armored", () => maker(bare(sha256), "--sign", "--armor"), "container by the maker"],
    ["of the container form, uncompressed", () => maker(bare(sha256), "--sign", "-z", "0"), "container by the maker"],
    ["over the bytes", () => maker(CONTENT, "--detach-sign"), "detached by the maker"],
    ["over the bytes, armored", () => maker(CONTENT, "--detach-sign", "--armor"), "detached by the maker"],
    ["in clear text over a list of checksums", () => maker(sums(sha256), "--clearsign"), "checksums by the maker"],
    ["around a list of checksums", () => maker(sums(sha256), "--sign"), "checksums by the maker"],
    ["apart from a list of checksums", () => apart(sums(sha256)), "checksums by the maker"],
  ])("%s is good", async (_what, make, expected) => {
    expect(await check(make())).toBe(expected);
  });

  it.each([
    ["that names another digest", () => maker(container(OTHER), "--sign"), "openpgp.digest_mismatch"],
    ["of another type", () => maker(container(sha256).replace("atomic", "other"), "--sign"), "openpgp.malformed"],
    ["over a list without this image", () => maker(sums(OTHER), "--clearsign"), "openpgp.digest_mismatch"],
    [
      "over a list that gives this image's name to other bytes",
      () => maker(`${sha256}  rootfs.img\n${OTHER}  app_1\n`, "--clearsign"),
      "openpgp.digest_mismatch",
    ],
    [
      "over a list that was changed since",
      () => ({ ...apart(sums(OTHER)), document: Buffer.from(sums(sha256)) }),
      "openpgp.signature_invalid",
    ],
    [
      "in clear text over a list that was changed since",
      () => ({
        signature: Buffer.from(maker(sums(OTHER), "--clearsign").signature.toString().replaceAll(OTHER, sha256)),
        document: null,
      }),
      "openpgp.signature_invalid",
    ],
    [
      "by a key that nobody here trusts",
      () => ({ signature: gpg.sign("stranger@example.test", CONTENT, "--detach-sign"), document: null }),
      "openpgp.key_untrusted",
    ],
    [
      "that was damaged",
      () => ({ signature: flipped(maker(CONTENT, "--detach-sign").signature, 100), document: null }),
      "openpgp.signature_invalid",
    ],
    ["that is none", () => ({ signature: Buffer.from("not a signature"), document: null }), "openpgp.malformed"],
    ["that is empty", () => ({ signature: Buffer.alloc(0), document: null }), "openpgp.malformed"],
    [
      "that unfolds to more than a document has",
      () => maker(Buffer.alloc(5_000_000, 0x7b), "--sign", "-z", "9"),
      "openpgp.malformed",
    ],
  ])("%s is refused for this reason", async (_what, make, expected) => {
    expect(await check(make())).toBe(expected);
  });

  it("over bytes that changed since is refused", async () => {
    expect(await check(maker(CONTENT, "--detach-sign"), flipped(CONTENT, 70_000))).toBe("openpgp.signature_invalid");
  });
});

describe("a key to trust", () => {
  const refusal = (bytes: Buffer, now = NOW()) =>
    readTrustedKey(bytes, now).then(
      () => "trusted",
      (error: unknown) => (isAppError(error) ? error.code : error),
    );

  it("is one public key that is valid now", async () => {
    expect(trusted[0]).toMatchObject({ name: "maker@example.test", expiresAt: null });
    const two = gpg.publicKey("maker@example.test") + gpg.publicKey("stranger@example.test");
    expect(await refusal(Buffer.from(two))).toBe("openpgp.malformed");
    expect(await refusal(Buffer.from(gpg.privateKey("maker@example.test")))).toBe("openpgp.malformed");
    expect(await refusal(Buffer.from("no key"))).toBe("openpgp.malformed");
    expect(await refusal(Buffer.from(gpg.publicKey("maker@example.test")), new Date(0))).toBe("openpgp.key_untrusted");
  });
});

import { constants, createHash, generateKeyPairSync, sign } from "node:crypto";
import { describe, expect, it } from "vitest";
import { canonicalBytes } from "#lib/uptane/canonical.ts";
import { parseTufKey } from "#lib/uptane/keys.ts";
import { isKnownMethod, signDocument, verifySignature } from "#lib/uptane/signatures.ts";
import { expectCode } from "#tests/harness/app-errors.ts";
import { at, plainCanonical, seedSigner, textAt, vectors } from "#tests/harness/uptane-documents.ts";

const image = (role: string) => at(vectors, "image", `${role}.json`);

describe("verifying", () => {
  it.each([
    ["image", "root.json", "root"],
    ["image", "targets.json", "targets"],
    ["image", "snapshot.json", "snapshot"],
    ["image", "timestamp.json", "timestamp"],
    ["director", "root.json", "root"],
    ["director", "targets.v1.json", "targets"],
    ["director", "targets.v2.json", "targets"],
  ])("accepts the published signature of %s %s", (repo, file, role) => {
    const root = at(vectors, repo, "root.json", "signed");
    const keyid = textAt(root, "roles", role, "keyids", 0);
    const document = at(vectors, repo, file);
    expect(textAt(document, "signatures", 0, "keyid")).toBe(keyid);
    const key = parseTufKey(at(root, "keys", keyid));
    const sig = textAt(document, "signatures", 0, "sig");
    expect(verifySignature(key, "ed25519", sig, canonicalBytes(at(document, "signed")))).toBe(true);
    expect(verifySignature(key, "ED25519", sig, canonicalBytes(at(document, "signed")))).toBe(true);
    expect(verifySignature(key, "ed25519", sig, canonicalBytes(at(document, "signatures")))).toBe(false);
  });

  it("accepts the published RSA signature under both method names and refuses it over other bytes", () => {
    const key = parseTufKey({ keytype: "rsa", keyval: { public: at(vectors, "rsa", "public_pem") } });
    const sig = textAt(vectors, "rsa", "signature", "sig");
    const bytes = canonicalBytes(at(vectors, "rsa", "signed"));
    expect(verifySignature(key, "rsassa-pss", sig, bytes)).toBe(true);
    expect(verifySignature(key, "RSASSA-PSS-SHA256", sig, bytes)).toBe(true);
    expect(verifySignature(key, "rsassa-pss", sig, Buffer.from("other"))).toBe(false);
    expect(verifySignature(key, "ed25519", sig, bytes)).toBe(false);
  });

  it("accepts RSA with any salt length, and neither another padding nor another hash", () => {
    const { publicKey, privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
    const pem = publicKey.export({ format: "pem", type: "spki" }).toString();
    const key = parseTufKey({ keytype: "RSA", keyval: { public: pem } });
    const bytes = Buffer.from("x");
    const check = (hash: string, padding: number, saltLength?: number) => {
      const salt = saltLength === undefined ? {} : { saltLength };
      const sig = sign(hash, bytes, { key: privateKey, padding, ...salt }).toString("base64");
      return verifySignature(key, "rsassa-pss", sig, bytes);
    };
    for (const salt of [0, 20, 32, 222]) expect(check("sha256", constants.RSA_PKCS1_PSS_PADDING, salt)).toBe(true);
    expect(check("sha512", constants.RSA_PKCS1_PSS_PADDING, 32)).toBe(false);
    expect(check("sha256", constants.RSA_PKCS1_PADDING)).toBe(false);
  });

  it("refuses a flipped bit, a cut signature, and base64 in any but its one spelling", () => {
    const signer = seedSigner("01");
    const bytes = Buffer.from("x");
    const sig = signer.sign(bytes);
    const flipped = Buffer.from(sig, "base64");
    flipped[5] = (flipped[5] ?? 0) ^ 1;
    const spellings = [
      flipped.toString("base64"),
      sig.slice(0, 40),
      "",
      ` ${sig}`,
      `${sig}\n`,
      sig.replace(/=+$/, ""),
      "*".repeat(88),
      "A".repeat(2000),
    ];
    for (const spelling of spellings) expect(verifySignature(signer.publicKey, "ed25519", spelling, bytes)).toBe(false);
    expect(verifySignature(signer.publicKey, "ed25519", sig, bytes)).toBe(true);
  });

  it("refuses methods that do not belong to the key", () => {
    const signer = seedSigner("01");
    const sig = signer.sign(Buffer.from("x"));
    for (const method of ["rsassa-pss", "rsassa-pss-sha256", "none", ""]) {
      expect(verifySignature(signer.publicKey, method, sig, Buffer.from("x"))).toBe(false);
    }
    expect(isKnownMethod("ecPrime256v1")).toBe(false);
  });
});

describe("signing", () => {
  it("makes the published documents byte for byte from their seeds", () => {
    for (const role of ["root", "targets", "snapshot", "timestamp"]) {
      const signer = seedSigner(textAt(vectors, "ed25519_seeds", "image", role));
      const document = signDocument(at(image(role), "signed"), [signer]);
      expect(document.bytes.equals(plainCanonical(image(role)))).toBe(true);
      expect(document.length).toBe(document.bytes.length);
    }
  });

  it("states the published role checksum and the lengths that snapshot and timestamp name", () => {
    const targets = signDocument(at(image("targets"), "signed"), [seedSigner("03")]);
    expect(targets.checksum).toBe(textAt(vectors, "image", "targets_role_checksum"));
    expect(targets.checksum).toBe(createHash("sha256").update(targets.bytes).digest("hex"));
    expect(targets.length).toBe(at(image("snapshot"), "signed", "meta", "targets.json", "length"));
    const snapshot = signDocument(at(image("snapshot"), "signed"), [seedSigner("02")]);
    expect(snapshot.checksum).toBe(textAt(image("timestamp"), "signed", "meta", "snapshot.json", "hashes", "sha256"));
  });

  it("refuses to make a document larger than devices accept", () => {
    expectCode(() => signDocument({ a: "x".repeat(100) }, [seedSigner("01")], 100), "uptane.too_large");
  });

  it("refuses what has no canonical form", () => {
    expectCode(() => signDocument({ a: 0.5 }, [seedSigner("01")]), "uptane.not_canonical");
  });
});

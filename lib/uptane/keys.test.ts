import { createPublicKey, generateKeyPairSync } from "node:crypto";
import { describe, expect, it } from "vitest";
import type { Json } from "#lib/uptane/json.ts";
import {
  asDeviceSigner,
  deviceKeyId,
  generateKeyPair,
  isSameKey,
  keyPairFromSeed,
  parseTufKey,
  serverKeyId,
  signerFromPrivate,
} from "#lib/uptane/keys.ts";
import { verifySignature } from "#lib/uptane/signatures.ts";
import { expectCode } from "#tests/harness/app-errors.ts";
import { seedOf, textAt, vectors } from "#tests/harness/uptane-documents.ts";

const edPublic = textAt(vectors, "ed25519_key_example", "public");
const rsaPem = textAt(vectors, "rsa", "public_pem");
const ed = (text: string) => parseTufKey({ keytype: "ED25519", keyval: { public: text } });
const rsa = (text: string) => parseTufKey({ keytype: "RSA", keyval: { public: text } });
const pemOf = (options: { modulusLength: number; publicExponent?: number }) =>
  generateKeyPairSync("rsa", options).publicKey.export({ format: "pem", type: "spki" }).toString();

describe("published vectors", () => {
  it("derive the Ed25519 pair, its stored private form and its server key id from the seed", () => {
    const pair = keyPairFromSeed(seedOf("01"));
    expect(pair.publicKey.keyval.public).toBe(edPublic);
    expect(pair.privateKey).toBe(textAt(vectors, "ed25519_key_example", "private_as_stored"));
    expect(serverKeyId(pair.publicKey)).toBe(textAt(vectors, "ed25519_key_example", "keyid"));
  });

  it("give the RSA key both its ids", () => {
    expect(serverKeyId(rsa(rsaPem))).toBe(textAt(vectors, "rsa", "server_keyid"));
    expect(deviceKeyId(rsa(rsaPem))).toBe(textAt(vectors, "rsa", "aktualizr_keyid"));
  });
});

describe("public keys", () => {
  it("are read in any case, keeping hex digits as given", () => {
    const upper = parseTufKey({ keytype: "eD25519", keyval: { public: edPublic.toUpperCase() } });
    expect(upper).toEqual({ keytype: "ED25519", keyval: { public: edPublic.toUpperCase() } });
    expect(serverKeyId(upper)).toBe(serverKeyId(ed(edPublic)));
    expect(isSameKey(upper, ed(edPublic))).toBe(true);
    expect(isSameKey(upper, rsa(rsaPem))).toBe(false);
    expect(deviceKeyId(upper)).not.toBe(deviceKeyId(ed(edPublic)));
  });

  it.each<[string, Json]>([
    ["no object", "x"],
    ["no keyval", { keytype: "ED25519" }],
    ["no public", { keytype: "ED25519", keyval: {} }],
    ["no keytype", { keyval: { public: edPublic } }],
    ["an array", []],
  ])("are refused with %s", (_name, value) => {
    expectCode(() => parseTufKey(value), "uptane.malformed");
  });

  it.each(["ECPRIME256V1", "", "constructor", "ed25519 "])("are refused with type %j", (keytype) => {
    expectCode(() => parseTufKey({ keytype, keyval: { public: edPublic } }), "uptane.key_type_unsupported");
  });

  it.each(["", edPublic.slice(1), `${edPublic}00`, `${edPublic.slice(1)}g`, `${edPublic}\n`])(
    "are refused as Ed25519 when written %j",
    (text) => {
      expectCode(() => ed(text), "uptane.malformed");
    },
  );

  it.each<[string, string]>([
    ["nothing", ""],
    ["rubbish in the armour", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"],
    ["a second block", rsaPem + rsaPem],
    ["padding beyond the limit", rsaPem + "\n".repeat(5000)],
    ["1024 bits", pemOf({ modulusLength: 1024 })],
    ["an odd size", pemOf({ modulusLength: 2056 })],
    ["another algorithm", generateKeyPairSync("ed25519").publicKey.export({ format: "pem", type: "spki" }).toString()],
    [
      "PSS parameters",
      generateKeyPairSync("rsa-pss", { modulusLength: 2048 })
        .publicKey.export({ format: "pem", type: "spki" })
        .toString(),
    ],
    ["PKCS#1 armour", createPublicKey(rsaPem).export({ format: "pem", type: "pkcs1" }).toString()],
    ["a private key", generateKeyPair("RSA").privateKey],
    ["exponent 1", pemWithExponent("01")],
    ["an even exponent", pemWithExponent("04")],
    ["an exponent of 40 bits", pemWithExponent("0100000001")],
  ])("are refused as RSA with %s", (_name, pem) => {
    expectCode(() => rsa(pem), "uptane.malformed");
  });

  it("are accepted as RSA of 3072 and 4096 bits and with exponent 3", () => {
    for (const options of [
      { modulusLength: 3072 },
      { modulusLength: 4096 },
      { modulusLength: 2048, publicExponent: 3 },
    ]) {
      expect(rsa(pemOf(options)).keytype).toBe("RSA");
    }
  });
});

describe("private keys", () => {
  it.each(["ED25519", "RSA"] as const)("of type %s sign what their public key verifies", (keytype) => {
    const pair = generateKeyPair(keytype);
    const signer = signerFromPrivate(keytype, pair.privateKey);
    const bytes = Buffer.from("signed bytes");
    expect(signer.publicKey).toEqual(pair.publicKey);
    expect(signer.keyId).toBe(serverKeyId(pair.publicKey));
    expect(verifySignature(pair.publicKey, signer.method, signer.sign(bytes), bytes)).toBe(true);
    expect(verifySignature(pair.publicKey, signer.method, signer.sign(bytes), Buffer.from("other"))).toBe(false);
  });

  it("are never the same twice", () => {
    expect(generateKeyPair("ED25519").privateKey).not.toBe(generateKeyPair("ED25519").privateKey);
  });

  it("open from the bare seed too, as garage-sign writes it", () => {
    expect(signerFromPrivate("ED25519", "01".repeat(32)).publicKey.keyval.public).toBe(edPublic);
  });

  it.each<["ED25519" | "RSA", string]>([
    ["ED25519", ""],
    ["ED25519", "01".repeat(31)],
    ["ED25519", "01".repeat(64)],
    ["ED25519", "zz".repeat(32)],
    ["RSA", ""],
    ["RSA", "-----BEGIN RSA PRIVATE KEY-----\nAAAA\n-----END RSA PRIVATE KEY-----\n"],
    [
      "RSA",
      generateKeyPairSync("rsa", { modulusLength: 2048 })
        .privateKey.export({ format: "pem", type: "pkcs8" })
        .toString(),
    ],
    [
      "RSA",
      generateKeyPairSync("rsa", { modulusLength: 1024 })
        .privateKey.export({ format: "pem", type: "pkcs1" })
        .toString(),
    ],
  ])("are refused as %s when malformed (%#)", (keytype, text) => {
    expectCode(() => signerFromPrivate(keytype, text), "uptane.malformed");
  });

  it("refuse a seed of a wrong length", () => {
    expectCode(() => keyPairFromSeed(Buffer.alloc(31)), "uptane.malformed");
  });

  it("show a device's habits when an ECU signs: upper-case hex, its own key id, rsassa-pss", () => {
    const ecu = asDeviceSigner(signerFromPrivate("ED25519", "01".repeat(32)));
    expect(ecu.publicKey.keyval.public).toBe(edPublic.toUpperCase());
    expect(ecu.keyId).toBe(deviceKeyId(ecu.publicKey));
    expect(verifySignature(ecu.publicKey, ecu.method, ecu.sign(Buffer.from("x")), Buffer.from("x"))).toBe(true);
    const rsaEcu = asDeviceSigner(signerFromPrivate("RSA", generateKeyPair("RSA").privateKey));
    expect(rsaEcu.method).toBe("rsassa-pss");
  });
});

/** The vector's modulus under another exponent, written by hand as DER, because no library makes such a key. */
function pemWithExponent(exponentHex: string): string {
  const jwk = createPublicKey(rsaPem).export({ format: "jwk" });
  const integer = (bytes: Buffer) => tlv(0x02, (bytes[0] ?? 0) >= 0x80 ? Buffer.concat([Buffer.of(0), bytes]) : bytes);
  const modulus = integer(Buffer.from(String(jwk.n), "base64url"));
  const key = tlv(0x30, Buffer.concat([modulus, integer(Buffer.from(exponentHex, "hex"))]));
  const algorithm = Buffer.from("300d06092a864886f70d0101010500", "hex");
  const spki = tlv(0x30, Buffer.concat([algorithm, tlv(0x03, Buffer.concat([Buffer.of(0), key]))]));
  const lines = spki.toString("base64").match(/.{1,64}/g) ?? [];
  return `-----BEGIN PUBLIC KEY-----\n${lines.join("\n")}\n-----END PUBLIC KEY-----\n`;
}

function tlv(tag: number, content: Buffer): Buffer {
  const { length } = content;
  const size = length < 0x80 ? [length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.of(tag, ...size), content]);
}

import { generateKeyPairSync } from "node:crypto";
import { commonName, craft, newEcKey, newRsaKey, wrapped } from "./crafted.ts";
import type { ZooKind } from "./zoo.ts";

const onCurve = (curve: string, decision: string, early: Pick<ZooKind, "door" | "nginx"> = {}): ZooKind => ({
  kind: `a key on ${curve}`,
  make: (ca) => craft(ca, { key: newEcKey(curve) }),
  decision,
  ...early,
});
/** TLS 1.3 has no signature of this key, so the client shows nothing. */
const OLD_TLS_ONLY = { tls12: "weak_key", tls13: "no_certificate" } as const;
const NOT_IN_TLS = { tls12: "alert: ssl/tls_alert_illegal_parameter", tls13: "no_certificate" } as const;
const signedWith = (
  signature: "SHA-1" | "MD5" | "SHA-256" | "SHA-384" | "SHA-512" | "PSS",
  decision: string,
): ZooKind => ({
  kind: `signed by RSA with ${signature}`,
  authority: "rsa",
  make: (ca) => craft(ca, { signature }),
  decision,
});

/** Keys and signatures. */
export const KEY_KINDS: readonly ZooKind[] = [
  onCurve("prime256v1", "let in"),
  onCurve("secp384r1", "let in"),
  onCurve("secp521r1", "let in"),
  onCurve("secp224r1", "weak_key", { door: NOT_IN_TLS, nginx: NOT_IN_TLS }),
  onCurve("secp256k1", "weak_key", { door: NOT_IN_TLS, nginx: NOT_IN_TLS }),
  onCurve("brainpoolP256r1", "weak_key", {
    door: { tls12: "alert: ssl/tls_alert_illegal_parameter", tls13: "weak_key" },
    nginx: NOT_IN_TLS,
  }),
  { kind: "a key of RSA-1024", make: (ca) => craft(ca, { key: newRsaKey(1024) }), decision: "weak_key" },
  { kind: "a key of RSA-2048", make: (ca) => craft(ca, { key: newRsaKey(2048) }), decision: "let in" },
  { kind: "a key of RSA-4096", make: (ca) => craft(ca, { key: newRsaKey(4096) }), decision: "let in" },
  {
    kind: "a key of RSA with an exponent of 3",
    make: (ca) => craft(ca, { key: generateKeyPairSync("rsa", { modulusLength: 2048, publicExponent: 3 }).privateKey }),
    decision: "let in",
  },
  {
    kind: "a key of RSA for PSS alone",
    make: (ca) => craft(ca, { key: generateKeyPairSync("rsa-pss", { modulusLength: 2048 }).privateKey }),
    decision: "let in",
  },
  {
    kind: "a key of Ed25519",
    make: (ca) => craft(ca, { key: generateKeyPairSync("ed25519").privateKey }),
    decision: "let in",
  },
  {
    kind: "a key of Ed448",
    make: (ca) => craft(ca, { key: generateKeyPairSync("ed448").privateKey }),
    decision: "weak_key",
  },
  {
    kind: "a key of X25519, which can't sign",
    make: (ca) => craft(ca, { key: generateKeyPairSync("x25519").privateKey }),
    decision: "weak_key",
    door: "client: unknown_certificate_type",
    nginx: "client: unknown_certificate_type",
  },
  {
    kind: "a key of DSA",
    make: (ca) =>
      craft(ca, { key: generateKeyPairSync("dsa", { modulusLength: 2048, divisorLength: 256 }).privateKey }),
    decision: "weak_key",
    door: OLD_TLS_ONLY,
    nginx: OLD_TLS_ONLY,
  },
  signedWith("SHA-256", "let in"),
  signedWith("SHA-384", "let in"),
  signedWith("SHA-512", "let in"),
  signedWith("PSS", "let in"),
  signedWith("SHA-1", "weak_signature"),
  signedWith("MD5", "weak_signature"),
  { kind: "signed by ECDSA with SHA-1", make: (ca) => craft(ca, { signature: "SHA-1" }), decision: "weak_signature" },
  {
    kind: "signed by P-384 with SHA-384",
    authority: "p384",
    make: (ca) => craft(ca, { signature: "SHA-384" }),
    decision: "let in",
  },
  { kind: "signed by Ed25519", authority: "ed25519", make: (ca) => craft(ca), decision: "let in" },
  {
    kind: "a bit of the signature turned",
    make: (ca) => turned(craft(ca), (der) => der.length - 4),
    decision: "bad_signature",
  },
  {
    kind: "a bit of the subject turned",
    make: (ca) => {
      const subject = crypto.randomUUID();
      const made = craft(ca, { subject: commonName(subject) });
      return turned(made, (der) => der.indexOf(subject) + 1);
    },
    decision: "bad_signature",
  },
  {
    kind: "two algorithms, within and without",
    make: (ca) => {
      const { der, privateKeyPem } = craft(ca);
      const changed = Buffer.from(der);
      // The last byte of the outer identifier: ecdsa-with-SHA256 becomes ecdsa-with-SHA384.
      const at = changed.lastIndexOf(Buffer.from("06082a8648ce3d040302", "hex"));
      changed.writeUInt8(3, at + 9);
      return wrapped(changed, privateKeyPem);
    },
    decision: "bad_signature",
  },
];

function turned(made: { der: Buffer; privateKeyPem: string }, at: (der: Buffer) => number) {
  const der = Buffer.from(made.der);
  const index = at(der);
  der.writeUInt8(der.readUInt8(index) ^ 1, index);
  return wrapped(der, made.privateKeyPem);
}

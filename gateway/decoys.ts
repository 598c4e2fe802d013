import { createHmac, createPrivateKey, createPublicKey, randomBytes, randomUUID, timingSafeEqual } from "node:crypto";
import type { Ctx } from "#lib/ctx.ts";
import type { CertificateFacts } from "#lib/pki/certificates.ts";
import { createFleetCa, issueDeviceCertificate, openIssuingCa } from "#lib/pki/issue.ts";
import { generateCertificateKey } from "#lib/pki/keys.ts";
import { spkiSha256 } from "#lib/pki/sign.ts";

/** What the test of a proxy sends, and by what every gateway of this install knows it again without being told. */
export type Decoys = {
  /** The certificate that only forged headers carry: its private key is used nowhere. PEM, URL-encoded. */
  readonly certificateHeader: string;
  /** A certificate from no authority that is known here, to come with through TLS. */
  visitor(): Promise<{ certificatePem: string; privateKeyPem: string }>;
  /** The marks of one request of the test: its path, and what stands in its forged headers. */
  mark(): { nonce: string; path: string; text: string };
  /** The nonce, when this address is one of a test of the last minutes. */
  readAsked(uri: string): string | null;
  /** The nonce, when this value is one that stands in forged headers only. */
  readForged(value: string): string | null;
  isForgedLeaf(leaf: CertificateFacts): boolean;
};

type DecoyCtx = Pick<Ctx, "keys" | "clock">;

const PREFIX = "/gatehouse-header-check/";
/** Marks pass through proxies and their logs: an old one, read there, must not switch anything. Gateways' clocks differ by less. */
const MARKED_FOR_MS = 15 * 60_000;
const TIME_BYTES = 6;
const NONCE_BYTES = 16;
/** An Ed25519 private key in PKCS#8, up to its seed. @see RFC 8410 section 7 */
const ED25519_PKCS8 = Buffer.from("302e020100300506032b657004220420", "hex");

/**
 * Everything follows from the master key, so that gateways share it without a word: marks carry a MAC, and the decoy has the same
 * key pair in each. Nobody can come with the decoy by TLS, for nobody holds that key outside of this function.
 */
export async function createDecoys(ctx: DecoyCtx): Promise<Decoys> {
  const macKey = ctx.keys.derive("header check marks");
  const seed = ctx.keys.derive("header check decoy");
  const privateKey = createPrivateKey({
    key: Buffer.concat([ED25519_PKCS8, seed]),
    format: "der",
    type: "pkcs8",
  });
  const publicKey = createPublicKey(privateKey);
  const decoySpki = spkiSha256(publicKey);
  const decoy = await issue(ctx, publicKey);

  const sealed = (label: "asked" | "forged", nonce: string) =>
    createHmac("sha256", macKey).update(`${label} ${nonce}`).digest("hex").slice(0, 32);
  const nonceOf = (label: "asked" | "forged", mark: string): string | null => {
    const nonce = mark.slice(0, NONCE_BYTES * 2);
    if (!isSame(mark.slice(NONCE_BYTES * 2), sealed(label, nonce))) return null;
    const at = Buffer.from(nonce, "hex").readUIntBE(0, TIME_BYTES);
    return Math.abs(ctx.clock().getTime() - at) <= MARKED_FOR_MS ? nonce : null;
  };

  return {
    certificateHeader: encodeURIComponent(decoy),
    async visitor() {
      const pair = generateCertificateKey();
      return { certificatePem: await issue(ctx, pair.publicKey), privateKeyPem: pair.privateKeyPem };
    },
    mark() {
      const time = Buffer.alloc(TIME_BYTES);
      time.writeUIntBE(ctx.clock().getTime(), 0, TIME_BYTES);
      const nonce = Buffer.concat([time, randomBytes(NONCE_BYTES - TIME_BYTES)]).toString("hex");
      return { nonce, path: `${PREFIX}${nonce}${sealed("asked", nonce)}`, text: `${nonce}${sealed("forged", nonce)}` };
    },
    readAsked(uri) {
      const mark = /\/gatehouse-header-check\/([0-9a-f]{64})$/.exec(uri)?.[1];
      return mark === undefined ? null : nonceOf("asked", mark);
    },
    readForged(value) {
      const mark = value.match(/[0-9a-f]{64}/g)?.find((each) => nonceOf("forged", each) !== null);
      return mark === undefined ? null : nonceOf("forged", mark);
    },
    isForgedLeaf: (leaf) => leaf.spkiSha256 === decoySpki,
  };
}

/** For client authentication, by an authority that is forgotten at once. */
async function issue(
  ctx: DecoyCtx,
  publicKey: Parameters<typeof issueDeviceCertificate>[0]["publicKey"],
): Promise<string> {
  const now = ctx.clock();
  const made = await createFleetCa({ commonName: "Gatehouse header check", now });
  const ca = openIssuingCa(made.certificate, made.privateKeyPem);
  return (await issueDeviceCertificate({ ca, deviceUuid: randomUUID(), publicKey, now })).certificatePem;
}

function isSame(a: string, b: string): boolean {
  return a.length === b.length && timingSafeEqual(Buffer.from(a), Buffer.from(b));
}

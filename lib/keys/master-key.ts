import { createCipheriv, createDecipheriv, createHmac, hkdfSync, randomBytes, timingSafeEqual } from "node:crypto";
import { AppError } from "#lib/errors/app-error.ts";

const FORMAT = 1;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/**
 * Seals private keys under the install's master key with AES-256-GCM (NIST SP 800-38D). `purpose` names the row that holds the
 * sealed bytes and is authenticated with them, so that a sealed key moved to another row does not open.
 */
export type MasterKey = {
  seal(plain: Uint8Array, purpose: string): Uint8Array<ArrayBuffer>;
  /** @throws AppError `keys.unsealable` when the bytes, the purpose or the master key is another */
  open(sealed: Uint8Array, purpose: string): Buffer;
  /** A key of 32 bytes for another purpose than sealing: the same in every process of this install, and never stored. */
  derive(purpose: string): Buffer;
  /** A value that only this key gives; kept in the database to notice a wrong key before it does harm. */
  readonly checkValue: string;
};

/** @param hex 64 lower-case hex digits */
export function createMasterKey(hex: string): MasterKey {
  const secret = Buffer.from(hex, "hex");
  const key = Buffer.from(hkdfSync("sha256", secret, "", "gatehouse sealing v1", 32));
  return {
    seal(plain, purpose) {
      const nonce = randomBytes(NONCE_BYTES);
      const cipher = createCipheriv("aes-256-gcm", key, nonce);
      cipher.setAAD(Buffer.from(purpose, "utf8"));
      const body = Buffer.concat([cipher.update(plain), cipher.final()]);
      return Uint8Array.from(Buffer.concat([Buffer.of(FORMAT), nonce, cipher.getAuthTag(), body]));
    },
    open(sealed, purpose) {
      const bytes = Buffer.from(sealed);
      try {
        if (bytes[0] !== FORMAT || bytes.length < 1 + NONCE_BYTES + TAG_BYTES) throw new Error("unknown format");
        const decipher = createDecipheriv("aes-256-gcm", key, bytes.subarray(1, 1 + NONCE_BYTES));
        decipher.setAAD(Buffer.from(purpose, "utf8"));
        decipher.setAuthTag(bytes.subarray(1 + NONCE_BYTES, 1 + NONCE_BYTES + TAG_BYTES));
        return Buffer.concat([decipher.update(bytes.subarray(1 + NONCE_BYTES + TAG_BYTES)), decipher.final()]);
      } catch (cause) {
        throw new AppError(
          "keys.unsealable",
          "A stored key can't be opened. MASTER_KEY is not the one that sealed it.",
          {
            cause,
            context: { purpose },
          },
        );
      }
    },
    derive: (purpose) => Buffer.from(hkdfSync("sha256", secret, "", `gatehouse derived ${purpose} v1`, 32)),
    checkValue: createHmac("sha256", secret).update("gatehouse master key check v1").digest("hex"),
  };
}

/** Constant-time comparison of two hashes. */
export function isSameHash(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && timingSafeEqual(a, b);
}

/** Constant-time comparison of two secrets of any length. */
export function secretsEqual(a: string, b: string): boolean {
  const hash = (text: string) => createHmac("sha256", "compare").update(text).digest();
  return timingSafeEqual(hash(a), hash(b));
}

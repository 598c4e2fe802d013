import { z } from "zod";
import { OtaUuid } from "#lib/contracts/ota/common.ts";

/* What the keyserver takes (contracts/reposerver-keyserver.md section 7). Unknown fields are dropped. */

/** Each role has as many keys as its threshold, and all of them sign. */
const MAX_THRESHOLD = 8;

/** Devices refuse the whole root for one key of another type, so no repository gets one. @see contracts/aktualizr-client.md section 5, "Keys" */
export const RepoKeyType = z.enum(["ED25519", "RSA"], {
  error: "must be ED25519 or RSA: devices refuse every other type of key, ECPRIME256V1 too",
});

/** Body of POST `/root/{repoId}`. */
export const CreateRoot = z.object({
  threshold: z.int().min(1).max(MAX_THRESHOLD).default(1),
  keyType: RepoKeyType.default("ED25519"),
  /** False asks for an answer before the keys are made; they are made anyway. */
  forceSync: z.boolean().default(true),
});

export const RepoId = OtaUuid;

/** A root version as an address has it. */
export const RootVersion = z
  .string()
  .regex(/^[1-9][0-9]{0,9}$/)
  .transform(Number);

/** Header `x-trx-expire-not-before`. */
export const ExpireNotBeforeHeader = z.iso
  .datetime({ offset: true })
  .transform((text) => new Date(text))
  .optional();

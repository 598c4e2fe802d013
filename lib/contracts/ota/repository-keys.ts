import { z } from "zod";
import { REHEARSAL_STEPS } from "#lib/uptane/rehearsal.ts";

/*
 * Our extension below `…/gatehouse/` of both repositories: which keys speak for which role, whether a change of keys would hold, and
 * signing anew. Another back end answers 404 there.
 */

const Instant = z.iso.datetime();

export const RepositoryKeys = z.object({
  repoId: z.string().max(100),
  roles: z
    .array(
      z.object({
        role: z.string().max(50),
        threshold: z.number().int(),
        keys: z.array(z.object({ keyId: z.string().max(64), type: z.enum(["ED25519", "RSA"]), online: z.boolean() })),
        /** null for what each device has of its own. */
        document: z
          .object({ version: z.number().int(), expiresAt: Instant, checksum: z.string().nullable() })
          .nullable(),
      }),
    )
    .max(20),
});
export type RepositoryKeys = z.infer<typeof RepositoryKeys>;

export const RehearsalReply = z.object({
  checks: z
    .array(
      z.object({
        step: z.enum(REHEARSAL_STEPS),
        state: z.enum(["passed", "failed", "not_reached"]),
        detail: z.string().max(2_000),
      }),
    )
    .max(20),
});

import { z } from "zod";

export const PROVISION_BODY_MAX_BYTES = 4_096;

/** aktualizr sends days as text, aktualizr-cert-provider as a number. */
const Days = z.union([
  z.number().int().min(1).max(1_000_000_000),
  z
    .string()
    .regex(/^[1-9]\d{0,8}$/)
    .transform(Number),
]);

/** `POST /devices` with a shared certificate (contracts/gateway.md section 4). Unknown fields are dropped. */
export const ProvisionDevice = z.object({
  deviceId: z
    .string()
    .min(1)
    .max(200)
    .refine((id) => id.isWellFormed() && !/\p{Cc}/u.test(id), "must not contain control characters"),
  ttl: Days.optional(),
});
export type ProvisionDevice = z.infer<typeof ProvisionDevice>;

import { z } from "zod";

/** Ids of the OTA Connect contracts: any canonical UUID, whatever its version bits; kept in lower case. */
export const OtaUuid = z.guid().transform((text) => text.toLowerCase());

export const OtaChecksum = z.object({
  method: z.literal("sha256"),
  hash: z.string().regex(/^[0-9a-f]{64}$/, "must be 64 lower-case hex digits"),
});

/** `offset` and `limit` of the services: too large a limit is clamped, a negative one refused. @see contracts/README.md section 4 */
export const OtaPageQuery = z.object({
  offset: z.coerce.number().int().min(0).max(1_000_000_000).default(0),
  limit: z.coerce
    .number()
    .int()
    .min(0)
    .default(50)
    .transform((limit) => Math.min(limit, 1_000)),
});

export type OtaPage<T> = { values: T[]; total: number; offset: number; limit: number };

const UUID = "[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}";
const CORRELATION_ID = new RegExp(
  `^urn:(?:here-ota:(?:mtu|auto-update|campaign):${UUID}|tdx-ota:(?:target-spec|update|offline-install):${UUID}|tdx-ota:lockbox:[A-Za-z0-9_-]{1,100}:[0-9]{1,9}:[0-9a-f]{12})$`,
);

/** @see contracts/README.md section 5.1; both generations, since a device may hold an id of either */
export function isCorrelationId(text: string): boolean {
  return CORRELATION_ID.test(text);
}

export const CorrelationId = z
  .string()
  .refine(isCorrelationId, "must be a correlation id such as urn:here-ota:mtu:<uuid>");

/** Whole seconds, as every instant in a reply of these services. */
export function otaInstant(date: Date): string {
  return `${date.toISOString().slice(0, 19)}Z`;
}

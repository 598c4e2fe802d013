import type { z } from "zod";
import { AppError } from "#lib/errors/app-error.ts";

/**
 * Turns a body or query of an OTA Connect contract into its typed form.
 *
 * @throws AppError `ota.invalid_entity`, its message naming the first fields that are wrong
 */
export function parseEntity<T extends z.ZodType>(schema: T, value: unknown): z.output<T> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues
    .slice(0, 5)
    .map((issue) => `${issue.path.map(String).join(".") || "the body"}: ${issue.message}`);
  throw new AppError("ota.invalid_entity", problems.join("; ").slice(0, 1_000), { cause: parsed.error });
}

import { randomUUID } from "node:crypto";
import { AppError, isAppError } from "#lib/errors/app-error.ts";
import type { ErrorCode } from "#lib/errors/codes.ts";
import { PROBLEMS } from "#lib/http/problems.ts";

/** The error body of every OTA Connect service. @see contracts/README.md section 3 */
export type OtaErrorBody = { code: string; description: string; cause: unknown; errorId: string | null };

/**
 * What an error looks like on the OTA Connect contracts. `errorId` is made here and goes into the log too.
 * An unknown error tells nothing but that id.
 */
export function toOtaError(error: unknown): {
  status: number;
  body: OtaErrorBody;
  /** When to ask again, of what passes by itself. */
  retryAfterSeconds: number | null;
} {
  const known = isAppError(error) ? error : new AppError("internal.error", "");
  const status = PROBLEMS[known.code].status;
  const errorId = randomUUID();
  const description =
    status === 500 ? `Something went wrong here. The log has the cause under ${errorId}.` : known.message;
  return {
    status,
    body: { code: contractCode(known.code, status), description, cause: known.detail ?? null, errorId },
    retryAfterSeconds: known.code === "ota.image_being_checked" ? CHECK_SECONDS : null,
  };
}

const CHECK_SECONDS = 10;

/** Codes whose contract name is not their own. */
const RENAMED: Partial<Record<ErrorCode, string>> = {
  "ota.root_role_missing_upstream": "root_role_not_found",
  "ota.root_role_refused": "invalid_root_role",
  "ota.role_keys_offline": "role_keys_not_found",
  "image.not_found": "target_not_found",
  "image.exists": "conflicting_entity",
  "image.in_use": "image_in_use",
  "device.not_found": "missing_device",
  "device.conflict": "conflicting_device",
  "internal.unavailable": "service_unavailable",
  "database.unreachable": "service_unavailable",
  "uptane.too_large": "payload_too_large",
  "request.too_large": "payload_too_large",
  "request.not_found": "missing_entity",
};

function contractCode(code: ErrorCode, status: number): string {
  const renamed = RENAMED[code];
  if (renamed !== undefined) return renamed;
  if (code.startsWith("ota.")) return code.slice("ota.".length);
  if (status === 400) return "invalid_entity";
  if (status === 409) return "conflicting_entity";
  if (status === 500) return "internal_server_error";
  return code.replace(".", "_");
}

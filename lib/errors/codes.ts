/**
 * Every error code of the product, "area.reason". Closed: each edge maps all of them (`satisfies Record<ErrorCode, …>`),
 * so a code without a status does not compile.
 */
export const ERROR_CODES = [
  // input and transport
  "request.invalid",
  "request.too_large",
  "request.unsupported_media_type",
  "request.not_found",
  "request.method_not_allowed",
  "request.conflict",
  "request.precondition_failed",
  "request.rate_limited",
  "request.origin_refused",
  "internal.error",
  "internal.unavailable",
  // sign-in and permissions
  "auth.required",
  "auth.invalid_credentials",
  "auth.token_invalid",
  "auth.forbidden",
  "auth.setup_link_invalid",
  "account.not_found",
  "account.email_taken",
  "account.last_admin",
  "token.not_found",
  // configuration and start
  "config.invalid",
  "config.master_key_mismatch",
  "start.failed",
  "database.unreachable",
  // signed metadata
  "uptane.malformed",
  "uptane.expired",
  "uptane.rollback",
  "uptane.threshold_unmet",
  "uptane.signature_invalid",
  "uptane.key_type_unsupported",
  "uptane.version_mismatch",
  "uptane.hash_mismatch",
  "uptane.length_mismatch",
  "uptane.too_large",
  "uptane.unknown_ecu",
  "uptane.hardware_mismatch",
  "uptane.target_mismatch",
  "uptane.repeated_ecu",
  "uptane.not_canonical",
  // certificates
  "pki.malformed",
  "pki.key_mismatch",
  "pki.unsupported",
  "certificate.not_found",
  "certificate.wrong_state",
  "certificate.conflict",
  // devices and images
  "device.not_found",
  "device.conflict",
  "image.not_found",
  "image.exists",
  "image.in_use",
  "image.invalid",
  "image.storage_mismatch",
  "update.not_found",
  "update.invalid",
  "update.nothing_to_do",
  "update.wrong_state",
  "simulation.disabled",
  // keys at rest
  "keys.unsealable",
  // back ends
  "backend.unreachable",
  "backend.timeout",
  "backend.refused",
  "backend.invalid_reply",
] as const;

export type ErrorCode = (typeof ERROR_CODES)[number];

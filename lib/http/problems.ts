import { AppError, isAppError } from "#lib/errors/app-error.ts";
import type { ErrorCode } from "#lib/errors/codes.ts";

type Problem = { status: number; title: string };

/** The console API's translation of every error code (RFC 9457). */
export const PROBLEMS = {
  "request.invalid": { status: 400, title: "The request is not valid" },
  "request.too_large": { status: 413, title: "The request is too large" },
  "request.unsupported_media_type": { status: 415, title: "This content type is not accepted here" },
  "request.not_found": { status: 404, title: "There is nothing at this address" },
  "request.method_not_allowed": { status: 405, title: "This method is not allowed here" },
  "request.conflict": { status: 409, title: "The request conflicts with what is there" },
  "request.precondition_failed": { status: 412, title: "Something changed meanwhile" },
  "request.rate_limited": { status: 429, title: "Too many attempts" },
  "request.origin_refused": { status: 403, title: "The request comes from another site" },
  "internal.error": { status: 500, title: "Something went wrong here" },
  "internal.unavailable": { status: 503, title: "Not available right now" },
  "auth.required": { status: 401, title: "Sign in first" },
  "auth.invalid_credentials": { status: 401, title: "E-mail or password is wrong" },
  "auth.token_invalid": { status: 401, title: "The token is not valid" },
  "auth.forbidden": { status: 403, title: "Your role does not permit this" },
  "auth.setup_link_invalid": { status: 403, title: "The set-up link is not valid" },
  "account.not_found": { status: 404, title: "User not found" },
  "account.email_taken": { status: 409, title: "This e-mail address has an account" },
  "account.last_admin": { status: 409, title: "This is the last admin" },
  "token.not_found": { status: 404, title: "Token not found" },
  "machine_client.not_found": { status: 404, title: "Machine client not found" },
  "machine_client.certificate_taken": { status: 409, title: "A machine client has this certificate" },
  "config.invalid": { status: 500, title: "The configuration is not valid" },
  "config.master_key_mismatch": { status: 500, title: "The master key is another" },
  "start.failed": { status: 500, title: "A part did not start" },
  "database.unreachable": { status: 503, title: "The database does not answer" },
  "uptane.malformed": { status: 400, title: "The metadata is malformed" },
  "uptane.expired": { status: 400, title: "The metadata has expired" },
  "uptane.rollback": { status: 400, title: "The metadata is older than what is known" },
  "uptane.threshold_unmet": { status: 400, title: "Too few valid signatures" },
  "uptane.signature_invalid": { status: 400, title: "A signature is not valid" },
  "uptane.key_type_unsupported": { status: 400, title: "This key type is not supported" },
  "uptane.version_mismatch": { status: 400, title: "The metadata version does not match" },
  "uptane.hash_mismatch": { status: 400, title: "The digest does not match" },
  "uptane.length_mismatch": { status: 400, title: "The length does not match" },
  "uptane.too_large": { status: 413, title: "The metadata is too large for devices" },
  "uptane.unknown_ecu": { status: 400, title: "The ECU is not known" },
  "uptane.hardware_mismatch": { status: 400, title: "The hardware id does not match" },
  "uptane.target_mismatch": { status: 400, title: "Director and image repository differ" },
  "uptane.repeated_ecu": { status: 400, title: "An ECU is listed twice" },
  "uptane.not_canonical": { status: 400, title: "This value can't be signed" },
  "pki.malformed": { status: 400, title: "This is not a certificate or key" },
  "pki.key_mismatch": { status: 400, title: "Key and certificate do not belong together" },
  "pki.unsupported": { status: 400, title: "This kind of key is not supported" },
  "certificate.not_found": { status: 404, title: "Certificate not found" },
  "certificate.wrong_state": { status: 409, title: "The certificate is in another state" },
  "certificate.conflict": { status: 409, title: "Another certificate is in the way" },
  "ostree.malformed": { status: 400, title: "This is no OSTree object" },
  "ostree.too_large": { status: 413, title: "The OSTree object is too large" },
  "ostree.commit_mismatch": { status: 400, title: "The commit is not the named one" },
  "ostree.dirtree_mismatch": { status: 400, title: "The directory is not the named one" },
  "ostree.dirmeta_mismatch": { status: 400, title: "The directory's metadata is not the named one" },
  "ostree.file_mismatch": { status: 400, title: "The file is not the named one" },
  "ostree.file_malformed": { status: 400, title: "The file object is broken" },
  "device.not_found": { status: 404, title: "Device not found" },
  "device.conflict": { status: 409, title: "The name is taken" },
  "image.not_found": { status: 404, title: "Image not found" },
  "image.exists": { status: 409, title: "An image of this name exists" },
  "image.in_use": { status: 409, title: "The image is in use" },
  "image.invalid": { status: 400, title: "The image is not valid" },
  "image.storage_mismatch": { status: 409, title: "The stored bytes are not the signed ones" },
  "update.not_found": { status: 404, title: "Update not found" },
  "update.invalid": { status: 400, title: "The update is not valid" },
  "update.nothing_to_do": { status: 409, title: "No device would be updated" },
  "update.wrong_state": { status: 409, title: "The update is in another state" },
  "simulation.disabled": { status: 403, title: "Simulated devices are switched off" },
  "keys.unsealable": { status: 500, title: "A stored key can't be opened" },
  "backend.unreachable": { status: 502, title: "A back end does not answer" },
  "backend.timeout": { status: 504, title: "A back end took too long" },
  "backend.refused": { status: 502, title: "A back end refused" },
  "backend.invalid_reply": { status: 502, title: "A back end's reply makes no sense" },
  "ota.unauthorized": { status: 401, title: "The services token is missing or wrong" },
  "ota.malformed_body": { status: 400, title: "The request is not JSON" },
  "ota.invalid_entity": { status: 400, title: "The request is not valid" },
  "ota.missing_entity": { status: 404, title: "Not found" },
  "ota.conflicting_entity": { status: 409, title: "It exists already" },
  "ota.role_not_found": { status: 404, title: "This metadata does not exist" },
  "ota.root_role_not_found": { status: 404, title: "This root version does not exist" },
  "ota.root_role_missing_upstream": { status: 424, title: "This root version does not exist" },
  "ota.target_not_found": { status: 404, title: "Image not found" },
  "ota.no_repo_for_namespace": { status: 404, title: "There is no repository yet" },
  "ota.no_uri_for_unmanaged_target": { status: 417, title: "The image is stored elsewhere, and nobody said where" },
  "ota.request_canceled_by_upstream": { status: 400, title: "The upload broke off" },
  "ota.payload_too_large": { status: 413, title: "The upload is too large" },
  "ota.not_implemented": { status: 501, title: "This is not offered here" },
  "ota.range_not_satisfiable": { status: 416, title: "This range lies beyond the end" },
  "ota.missing_device": { status: 404, title: "Device not found" },
  "ota.conflicting_device": { status: 409, title: "This device exists already" },
  "ota.malformed_input": { status: 400, title: "The request is malformed" },
  "ota.request_needs_credentials": { status: 400, title: "Credentials are missing" },
  "ota.conflicting_device_group_name": { status: 409, title: "A group of this name exists" },
  "ota.cannot_add_device_to_dynamic_group": { status: 400, title: "A smart group has its own members" },
  "ota.cannot_remove_device_from_dynamic_group": { status: 400, title: "A smart group has its own members" },
  "ota.invalid_group_expression_for_group_type": { status: 400, title: "Only smart groups have an expression" },
  "ota.invalid_group_expression": { status: 400, title: "The expression is not valid" },
  "ota.cannot_remove_device_tag": { status: 400, title: "A smart group rests on this tag" },
  "ota.invalid_mtu": { status: 400, title: "The update is not valid" },
  "ota.signature_not_valid": { status: 400, title: "A signature is not valid" },
  "ota.invalid_signed_payload": { status: 400, title: "The signed document is not valid" },
  "ota.primary_is_not_listed_for_device": { status: 400, title: "The primary ECU is not in the list" },
  "ota.device_missing_primary_ecu": { status: 404, title: "The device has no primary ECU" },
  "ota.ecu_not_primary": { status: 400, title: "Another ECU is the primary" },
  "ota.ecu_reuse_not_allowed": { status: 409, title: "The ECU belongs to another device or was replaced" },
  "ota.ecu_replacement_disabled": { status: 409, title: "ECUs can't be replaced here" },
  "ota.replace_ecu_assignment_exists": { status: 412, title: "ECUs can't be replaced during an update" },
  "ota.assignment_in_flight_devices": { status: 409, title: "A device has an update under way" },
  "ota.object_missing": { status: 404, title: "There is no such object" },
  "ota.blob_missing": { status: 404, title: "The bytes of this object are gone" },
  "ota.object_exists": { status: 409, title: "The object is here already" },
  "ota.out_of_band_storage_not_supported": { status: 400, title: "Objects are uploaded through this service" },
  "ota.commit_missing": { status: 412, title: "The commit is not here yet" },
  "ota.delta_missing": { status: 404, title: "There is no such delta" },
  "ota.missing_superblock_hash": { status: 400, title: "The superblock's digest is missing" },
  "ota.static_delta_exists": { status: 409, title: "Another delta has this name" },
  "ota.static_delta_not_uploaded": { status: 449, title: "The delta is not complete yet" },
} satisfies Record<ErrorCode, Problem>;

export type ProblemBody = {
  type: string;
  code: string;
  title: string;
  status: number;
  detail: string;
  requestId: string;
  errors?: unknown;
};

/** What the caller sees. An unknown error tells nothing but the request id under which the log has the rest. */
export function toProblem(error: unknown, requestId: string): { status: number; body: ProblemBody } {
  const known = isAppError(error)
    ? error
    : new AppError("internal.error", `The log has the cause under request ${requestId}.`);
  const { status, title } = PROBLEMS[known.code];
  const hidden = status === 500;
  return {
    status,
    body: {
      type: "about:blank",
      code: known.code,
      title,
      status,
      detail: hidden ? `The log has the cause under request ${requestId}.` : known.message,
      requestId,
      ...(known.detail === undefined || hidden ? {} : { errors: known.detail }),
    },
  };
}

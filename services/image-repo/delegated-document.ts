import { createHash } from "node:crypto";
import { AppError, isAppError } from "#lib/errors/app-error.ts";
import { canonicalBytes } from "#lib/uptane/canonical.ts";
import type { DelegatedRole, Delegations } from "#lib/uptane/delegations.ts";
import { isJsonObject, type Json, parseJsonBounded } from "#lib/uptane/json.ts";
import { METADATA_LIMITS } from "#lib/uptane/limits.ts";
import type { Target } from "#lib/uptane/roles.ts";
import { verifyDelegatedTargets } from "#lib/uptane/verify.ts";
import type { DelegatedTarget } from "./store-delegations.ts";

/** A verified document in the form it is served in, which is the form its hash in the snapshot is taken of. */
export type DelegatedDocument = {
  readonly bytes: Buffer;
  readonly checksum: string;
  readonly version: number;
  readonly expiresAt: Date;
  readonly targets: readonly DelegatedTarget[];
};

/**
 * Verifies a delegated document as devices do, and reads what it lists.
 *
 * @throws AppError `ota.payload_signature_invalid` | `ota.invalid_delegated_target` | `ota.conflicting_entity` (older than the
 *   one before) | `uptane.expired` | `uptane.malformed` | `uptane.too_large` | `uptane.not_canonical`
 * @see contracts/reposerver-keyserver.md section 4
 */
export function readDelegated(input: {
  bytes: Buffer;
  keys: Delegations["keys"];
  role: DelegatedRole;
  now: Date;
  storedVersion: number | undefined;
}): DelegatedDocument {
  const { signed } = verify(input);
  const document = parseJsonBounded(input.bytes, METADATA_LIMITS.imageTargets);
  const bytes = canonicalBytes(document);
  return {
    bytes,
    checksum: createHash("sha256").update(bytes).digest("hex"),
    version: signed.version,
    expiresAt: signed.expires,
    targets: [...signed.targets.values()].map((target) => toTarget(input.role.name, target, document, input.now)),
  };
}

function verify(input: Parameters<typeof verifyDelegatedTargets>[0]) {
  try {
    return verifyDelegatedTargets(input);
  } catch (cause) {
    if (isAppError(cause, "uptane.threshold_unmet") || isAppError(cause, "uptane.signature_invalid")) {
      throw new AppError("ota.payload_signature_invalid", cause.message, { cause });
    }
    if (isAppError(cause, "uptane.target_mismatch")) {
      throw new AppError("ota.invalid_delegated_target", cause.message, { cause });
    }
    if (isAppError(cause, "uptane.rollback")) throw new AppError("ota.conflicting_entity", cause.message, { cause });
    throw cause;
  }
}

function toTarget(role: string, target: Target, document: Json, now: Date): DelegatedTarget {
  const { filename, length, hashes, uri } = target;
  if (hashes.sha256 === undefined || filename.includes("\0")) {
    throw new AppError("ota.invalid_delegated_target", "Each target needs a sha256 and a plain name.");
  }
  const custom = customOf(document, filename);
  const text = (value: Json | undefined) => (typeof value === "string" ? value : null);
  const createdAt = new Date(text(custom?.createdAt) ?? Number.NaN);
  return {
    ...{ role, filename, sha256: hashes.sha256, length, custom, uri },
    name: text(custom?.name),
    version: text(custom?.version),
    hardwareIds: [...(target.hardwareIds ?? [])],
    createdAt: Number.isNaN(createdAt.getTime()) ? now : createdAt,
  };
}

/** @throws AppError `ota.invalid_delegated_target` for what the database can't keep */
function customOf(document: Json, filename: string) {
  const signed = isJsonObject(document) ? document.signed : undefined;
  const targets = isJsonObject(signed) ? signed.targets : undefined;
  const item = isJsonObject(targets) && Object.hasOwn(targets, filename) ? targets[filename] : undefined;
  const custom = isJsonObject(item) ? item.custom : undefined;
  if (!isJsonObject(custom)) return null;
  if (!JSON.stringify(custom).includes("\\u0000")) return custom;
  throw new AppError("ota.invalid_delegated_target", "A target's custom part holds a NUL.");
}

import { createHash } from "node:crypto";
import { type AppError, isAppError } from "#lib/errors/app-error.ts";
import { canonicalBytes, canonicalText } from "#lib/uptane/canonical.ts";
import { assertThreshold, type Envelope, parseEnvelope, type RoleKeys } from "#lib/uptane/envelope.ts";
import { formatExpires, parseExpires } from "#lib/uptane/expiry.ts";
import type { Json, JsonObject } from "#lib/uptane/json.ts";
import { parseTufKey, serverKeyId, type TufKey } from "#lib/uptane/keys.ts";
import { METADATA_LIMITS } from "#lib/uptane/limits.ts";
import { member, readInteger, readObject, readString, readStrings } from "#lib/uptane/read.ts";
import type { SignedDocument } from "#lib/uptane/signatures.ts";

/** Every role a root may name. Devices look at the first four and pass over the others. */
export const ROOT_ROLES = [
  "root",
  "targets",
  "snapshot",
  "timestamp",
  "offline-updates",
  "offline-snapshot",
  "remote-sessions",
] as const;
export type RootRoleName = (typeof ROOT_ROLES)[number];
const NEEDED_ROLES = ROOT_ROLES.slice(0, 4);

/** A root with all its roles, as the one who keeps its keys reads it. */
export type FullRoot = {
  readonly version: number;
  readonly expires: Date;
  readonly keys: ReadonlyMap<string, TufKey>;
  readonly roles: ReadonlyMap<RootRoleName, RoleKeys>;
};

export type RootReason = {
  readonly code:
    | "malformed"
    | "too_large"
    | "not_same_again"
    | "key_refused"
    | "key_id"
    | "role"
    | "consistent_snapshot"
    | "expired"
    | "version"
    | "not_signed_by_old"
    | "not_signed_by_new";
  /** For the person who signed. */
  readonly text: string;
};

export type RootVerdict =
  | { readonly ok: true; readonly document: SignedDocument; readonly root: FullRoot }
  | { readonly ok: false; readonly reasons: readonly RootReason[] };

/**
 * Whether a root that somebody else signed may follow the one in force, with every reason against it.
 *
 * Beyond signatures and version it refuses what would strand devices: keys they can't read, more than 64 KiB, a date in the
 * past, a threshold that can't be met, and fields that get lost when the document is parsed and printed again.
 *
 * @param current the root in force, as stored
 * @param candidate the envelope as parsed; its canonical form is what is to be stored
 * @see contracts/reposerver-keyserver.md section 7.4; TUF 1.0.31 section 5.3.4 and 5.3.5
 */
export function judgeNextRoot(current: Uint8Array, candidate: Json, now: Date): RootVerdict {
  try {
    const document = printed(candidate);
    const envelope = parseEnvelope(document.bytes, METADATA_LIMITS.root);
    const root = parseFullRoot(envelope.signed);
    const old = parseFullRoot(parseEnvelope(current, METADATA_LIMITS.root).signed);
    const reasons = [
      ...reasonsOfShape(envelope, root, document),
      ...reasonsOfKeys(root),
      ...reasonsOfRoles(root),
      ...reasonsOfChain({ envelope, root, old, now }),
    ];
    return reasons.length === 0 ? { ok: true, document, root } : { ok: false, reasons };
  } catch (error) {
    if (!isAppError(error)) throw error;
    return { ok: false, reasons: [reasonOf(error)] };
  }
}

/**
 * Reads `signed` of a root with all its roles.
 *
 * @throws AppError `uptane.malformed` | `uptane.key_type_unsupported`
 */
export function parseFullRoot(signed: JsonObject): FullRoot {
  const keys = new Map<string, TufKey>();
  for (const [keyId, key] of Object.entries(readObject(member(signed, "keys"), "keys"))) {
    keys.set(keyId, parseTufKey(key));
  }
  const listed = readObject(member(signed, "roles"), "roles");
  const roles = new Map<RootRoleName, RoleKeys>();
  for (const name of ROOT_ROLES) {
    const role = member(listed, name);
    if (role !== undefined) roles.set(name, parseRoleKeys(readObject(role, `role ${name}`)));
  }
  return {
    version: readInteger(member(signed, "version"), "version", 1),
    expires: parseExpires(readString(member(signed, "expires"), "expires")),
    keys,
    roles,
  };
}

/** @returns `signed` of a root, the inverse of {@link parseFullRoot} */
export function printFullRoot(root: FullRoot): JsonObject {
  const keys = [...root.keys].map(([keyId, { keytype, keyval }]) => [
    keyId,
    { keytype, keyval: { public: keyval.public } },
  ]);
  const roles = [...root.roles].map(([name, { keyids, threshold }]) => [name, { keyids, threshold }]);
  return {
    _type: "Root",
    consistent_snapshot: false,
    expires: formatExpires(root.expires),
    keys: Object.fromEntries(keys),
    roles: Object.fromEntries(roles),
    version: root.version,
  };
}

function printed(candidate: Json): SignedDocument {
  const envelope = readObject(candidate, "the document");
  const bytes = canonicalBytes(envelope);
  return { bytes, checksum: createHash("sha256").update(bytes).digest("hex"), length: bytes.length };
}

/** Zero is reported as a reason by itself, so it is read. */
function parseRoleKeys(role: JsonObject): RoleKeys {
  return {
    keyids: readStrings(member(role, "keyids"), "keyids"),
    threshold: readInteger(member(role, "threshold"), "threshold"),
  };
}

function reasonsOfShape(envelope: Envelope, root: FullRoot, document: SignedDocument): RootReason[] {
  if (member(envelope.signed, "consistent_snapshot") !== false) {
    return [
      { code: "consistent_snapshot", text: "consistent_snapshot must be false: files have no version prefix here." },
    ];
  }
  const again = canonicalText({
    signatures: envelope.signatures,
    signed: printFullRoot(root),
  });
  if (again === document.bytes.toString("latin1")) return [];
  return [{ code: "not_same_again", text: "The root holds fields or spellings that are lost when it is read." }];
}

function reasonsOfKeys(root: FullRoot): RootReason[] {
  return [...root.keys].flatMap(([keyId, key]) =>
    serverKeyId(key) === keyId
      ? []
      : [{ code: "key_id" as const, text: `The key ${keyId} is not listed under the SHA-256 of its public part.` }],
  );
}

function reasonsOfRoles(root: FullRoot): RootReason[] {
  const missing = NEEDED_ROLES.filter((name) => !root.roles.has(name));
  const broken = [...root.roles].flatMap(([name, { keyids, threshold }]) => {
    if (keyids.some((keyId) => !root.keys.has(keyId))) return [`The role ${name} names a key that is not listed.`];
    if (threshold < 1) return [`The threshold of role ${name} must be above 0.`];
    if (threshold > new Set(keyids).size) return [`The threshold of role ${name} can't be met by its keys.`];
    return [];
  });
  return [...missing.map((name) => `The role ${name} is missing.`), ...broken].map((text) => ({ code: "role", text }));
}

function reasonsOfChain(of: { envelope: Envelope; root: FullRoot; old: FullRoot; now: Date }): RootReason[] {
  const { envelope, root, old, now } = of;
  const reasons: RootReason[] = [];
  if (root.version !== old.version + 1) {
    reasons.push({ code: "version", text: `The version must be ${old.version + 1}, not ${root.version}.` });
  }
  if (root.expires.getTime() <= now.getTime()) reasons.push({ code: "expired", text: "The root has expired already." });
  if (!isSignedBy(envelope, old)) {
    reasons.push({
      code: "not_signed_by_old",
      text: "The root is not signed by enough root keys of the root in force.",
    });
  }
  if (!isSignedBy(envelope, root)) {
    reasons.push({ code: "not_signed_by_new", text: "The root is not signed by enough of its own root keys." });
  }
  return reasons;
}

function isSignedBy(envelope: Envelope, by: FullRoot): boolean {
  const role = by.roles.get("root");
  if (role === undefined || role.threshold < 1) return false;
  try {
    assertThreshold(envelope, by.keys, role);
    return true;
  } catch (error) {
    if (isAppError(error, "uptane.threshold_unmet")) return false;
    throw error;
  }
}

function reasonOf(error: AppError): RootReason {
  const codes = { "uptane.too_large": "too_large", "uptane.key_type_unsupported": "key_refused" } as const;
  const code = Object.entries(codes).find(([from]) => from === error.code)?.[1] ?? "malformed";
  return { code, text: error.message };
}

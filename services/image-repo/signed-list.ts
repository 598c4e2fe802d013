import { createHash } from "node:crypto";
import { SignedCustom, TargetFilename } from "#lib/contracts/ota/reposerver.ts";
import { isAppError } from "#lib/errors/app-error.ts";
import { canonicalBytes } from "#lib/uptane/canonical.ts";
import { type Delegations, parseDelegations } from "#lib/uptane/delegations.ts";
import { type Envelope, parseEnvelope, type RoleKeys } from "#lib/uptane/envelope.ts";
import { type Json, type JsonObject, parseJsonBounded } from "#lib/uptane/json.ts";
import { serverKeyId, type TufKey } from "#lib/uptane/keys.ts";
import { METADATA_LIMITS } from "#lib/uptane/limits.ts";
import { member, readObject } from "#lib/uptane/read.ts";
import { parseRoot, parseTargets, type Target } from "#lib/uptane/roles.ts";
import { verifySignature } from "#lib/uptane/signatures.ts";
import type { StoredRoot } from "#services/keyserver/service.ts";
import { acceptProprietary } from "./custom.ts";
import type { RoleDocument } from "./roles.ts";

/** What a signed list says of one image; null members are not said. */
export type ListedItem = {
  readonly filename: string;
  readonly sha256: string;
  readonly length: number;
  readonly custom: (SignedCustom & { readonly proprietary: JsonObject | null }) | null;
};

export type SignedList = {
  /** In the canonical form, whose hash the snapshot states and in which it is served. */
  readonly document: RoleDocument;
  readonly envelope: Envelope;
  readonly items: readonly ListedItem[];
  readonly delegations: Delegations | null;
};

export type ListReading =
  | { readonly ok: true; readonly list: SignedList }
  | { readonly ok: false; readonly reasons: readonly string[] };

/**
 * Reads targets that somebody else signed, with every reason against them. Beyond what the contract asks, what would strand
 * devices is refused: a date in the past, text or lengths they read differently, members that make an image a mismatch.
 *
 * Signatures are judged by {@link reasonsOfSignatures}, under the root in force.
 *
 * @throws AppError `uptane.too_large`
 * @see contracts/reposerver-keyserver.md section 5
 */
export function readSignedList(bytes: Uint8Array, now: Date): ListReading {
  try {
    const envelope = parseEnvelope(bytes, METADATA_LIMITS.imageTargets);
    const targets = parseTargets(envelope.signed);
    const listed = readObject(member(envelope.signed, "targets"), "targets");
    const block = member(envelope.signed, "delegations") ?? null;
    const delegations = block === null ? null : parseDelegations(block);
    const items = [...targets.targets.values()].map((target) => readItem(target, listed));
    const reasons = items.filter((item) => typeof item === "string");
    if (targets.expires.getTime() <= now.getTime()) reasons.unshift("The list has expired already.");
    if (reasons.length > 0) return { ok: false, reasons };
    const { version, expires: expiresAt } = targets;
    const document = { role: "targets" as const, version, expiresAt, ...printed(bytes) };
    return {
      ok: true,
      list: { document, envelope, items: items.filter((item) => typeof item !== "string"), delegations },
    };
  } catch (error) {
    if (!isAppError(error) || error.code === "uptane.too_large") throw error;
    return { ok: false, reasons: [error.message] };
  }
}

/** Each signature must be valid and of a targets key, and enough of them must be there. */
export function reasonsOfSignatures({ signatures, signedBytes }: Envelope, root: StoredRoot): string[] {
  const { keys, role } = targetsKeysOf(root);
  const valid = new Set<string>();
  const reasons = signatures.flatMap(({ keyid, method, sig }) => {
    const key = role.keyids.includes(keyid) ? keys.get(keyid) : undefined;
    if (key === undefined)
      return [`A signature is by ${JSON.stringify(keyid.slice(0, 100))}, which is no targets key.`];
    if (!verifySignature(key, method, sig, signedBytes)) return [`The signature by ${keyid} is not valid.`];
    valid.add(serverKeyId(key));
    return [];
  });
  if (valid.size >= role.threshold) return reasons;
  return [...reasons, `${valid.size} valid signatures, ${role.threshold} are needed.`];
}

/** Who speaks for the list of images under a root. */
export function targetsKeysOf(root: StoredRoot): { keys: ReadonlyMap<string, TufKey>; role: RoleKeys } {
  const { keys, roles } = parseRoot(parseEnvelope(root.bytes, METADATA_LIMITS.root).signed);
  return { keys, role: roles.targets };
}

function printed(bytes: Uint8Array): { bytes: Buffer; checksum: string } {
  const canonical = canonicalBytes(parseJsonBounded(bytes, METADATA_LIMITS.imageTargets));
  return { bytes: canonical, checksum: createHash("sha256").update(canonical).digest("hex") };
}

/** @returns a reason against it as text */
function readItem(target: Target, listed: JsonObject): ListedItem | string {
  const { filename, length, hashes } = target;
  const against = (why: string) => `${JSON.stringify(filename.slice(0, 253))}: ${why}`;
  if (!TargetFilename.safeParse(filename).success) return against("this can't be the name of an image.");
  if (hashes.sha256 === undefined) return against("it has no sha256.");
  if (target.ecuIdentifiers !== null) return against("ecuIdentifiers belong to the director.");
  if ((target.targetFormat === "OSTREE") !== (length === 0)) {
    return against("an OSTree commit has the length 0, and any other image more.");
  }
  const custom = readCustom(member(readObject(listed[filename], "a target"), "custom") ?? null);
  if (typeof custom === "string") return against(custom);
  return { filename, sha256: hashes.sha256, length, custom };
}

function readCustom(value: Json): ListedItem["custom"] | string {
  if (value === null) return null;
  const parsed = SignedCustom.safeParse(value);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    return `custom.${issue?.path.map(String).join(".") ?? ""}: ${issue?.message ?? "it can't be read"}.`;
  }
  try {
    const proprietary = acceptProprietary(readObject(value, "custom"));
    return { ...parsed.data, proprietary: Object.keys(proprietary).length === 0 ? null : proprietary };
  } catch (error) {
    if (!isAppError(error)) throw error;
    return error.message;
  }
}

import { AppError } from "#lib/errors/app-error.ts";
import { assertAsciiName } from "#lib/uptane/canonical.ts";
import { formatExpires } from "#lib/uptane/expiry.ts";
import type { Json, JsonObject } from "#lib/uptane/json.ts";
import { serverKeyId, type TufKey } from "#lib/uptane/keys.ts";
import type { RoleName, TargetFormat } from "#lib/uptane/roles.ts";
import type { SignedDocument } from "#lib/uptane/signatures.ts";

/*
 * Builders of the `signed` part of each role, in the shapes of contracts/uptane-metadata.md. What they return goes
 * into `signDocument`. Reading is in roles.ts.
 */

type Dated = { readonly version: number; readonly expires: Date };
type RootRole = { readonly keys: readonly TufKey[]; readonly threshold: number };

/**
 * @returns `signed` of a root with the four roles every repository has; key ids are the server's own
 * @throws AppError `uptane.malformed` (version, threshold, key or date out of range)
 * @see contracts/uptane-metadata.md section 5
 */
export function buildRoot(input: Dated & { readonly roles: Readonly<Record<RoleName, RootRole>> }): JsonObject {
  const keys: Record<string, JsonObject> = {};
  const roles: Record<string, JsonObject> = {};
  for (const [name, role] of Object.entries(input.roles)) {
    const keyids = role.keys.map((key) => {
      const keyid = serverKeyId(key);
      keys[keyid] = { keytype: key.keytype, keyval: { public: key.keyval.public } };
      return keyid;
    });
    if (!(role.threshold >= 1 && role.threshold <= new Set(keyids).size)) {
      throw new AppError("uptane.malformed", `The threshold of role ${name} cannot be met by its keys.`);
    }
    roles[name] = { keyids, threshold: role.threshold };
  }
  return { ...common("Root", input), consistent_snapshot: false, keys, roles };
}

export type ImageTargetInput = {
  readonly filename: string;
  readonly sha256: string;
  readonly length: number;
  /** Without name or version there is no `custom` at all, and no device takes the image. */
  readonly name: string | null;
  readonly version: string | null;
  readonly hardwareIds: readonly string[];
  readonly targetFormat: TargetFormat | null;
  readonly uri?: string | null;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  readonly cliUploaded?: boolean | null;
  /** Members somebody added to `custom` that are to survive. Ours win. */
  readonly extraCustom?: JsonObject | null;
};

/**
 * @param input.delegations the block as it is to stand there; left out when absent
 * @returns `signed` of the image repository's targets
 * @throws AppError `uptane.not_canonical` (a name that is not ASCII) | `uptane.malformed` (a length that contradicts the
 *   format: devices take length 0 for OSTree; a name twice)
 * @see contracts/uptane-metadata.md section 6 and 8, rule 5
 */
export function buildImageTargets(
  input: Dated & { readonly targets: readonly ImageTargetInput[]; readonly delegations?: JsonObject | null },
): JsonObject {
  const targets: Record<string, JsonObject> = {};
  for (const target of input.targets) addTarget(targets, target, imageCustom(target));
  const delegations = input.delegations ?? null;
  return { ...common("Targets", input), targets, ...(delegations === null ? {} : { delegations }) };
}

/**
 * The `custom` member of an image in targets and in the answers about it.
 *
 * @throws AppError `uptane.not_canonical` | `uptane.malformed`
 * @see contracts/reposerver-keyserver.md section 3.1
 */
export function imageCustom(target: ImageTargetInput): JsonObject | null {
  if ((target.targetFormat === "OSTREE") !== (target.length === 0)) {
    throw new AppError("uptane.malformed", "An OSTree image has length 0, and any other image more.");
  }
  if (target.name === null || target.version === null) return null;
  assertAsciiName(target.name, "image name");
  assertAsciiName(target.version, "image version");
  for (const hardwareId of target.hardwareIds) assertAsciiName(hardwareId, "hardware id");
  const cliUploaded = target.cliUploaded ?? null;
  return {
    ...target.extraCustom,
    createdAt: formatExpires(target.createdAt),
    hardwareIds: target.hardwareIds,
    name: target.name,
    targetFormat: target.targetFormat,
    updatedAt: formatExpires(target.updatedAt),
    uri: target.uri ?? null,
    version: target.version,
    ...(cliUploaded === null ? {} : { cliUploaded }),
  };
}

export type DirectorTargetInput = {
  readonly filename: string;
  readonly sha256: string;
  readonly length: number;
  readonly uri?: string | null;
  /** What the caller of a multi-target update wants its devices to know; free, but with a canonical form. */
  readonly userDefinedCustom?: Json;
  readonly ecus: readonly { readonly serial: string; readonly hardwareId: string }[];
};

/**
 * @param input.correlationId needed as soon as there is a target: without it devices never report failures
 * @returns `signed` of one device's targets
 * @throws AppError `uptane.not_canonical` | `uptane.malformed` | `uptane.repeated_ecu`
 * @see contracts/uptane-metadata.md section 8
 */
export function buildDirectorTargets(
  input: Dated & { readonly correlationId: string | null; readonly targets: readonly DirectorTargetInput[] },
): JsonObject {
  const targets: Record<string, JsonObject> = {};
  const serials = new Set<string>();
  for (const target of input.targets) addTarget(targets, target, directorCustom(target, serials));
  if (input.targets.length === 0) return { ...common("Targets", input), targets };
  if (input.correlationId === null) {
    throw new AppError("uptane.malformed", "Targets for a device need a correlation id.");
  }
  assertAsciiName(input.correlationId, "correlation id");
  return { ...common("Targets", input), custom: { correlationId: input.correlationId }, targets };
}

/** How snapshot and timestamp name another document; take it from `signDocument`. */
export type MetaInput = Pick<SignedDocument, "checksum" | "length"> & { readonly version: number };

/**
 * @param input.meta by file name, `root.json` and `targets.json` at least
 * @throws AppError `uptane.malformed` | `uptane.not_canonical`
 * @see contracts/uptane-metadata.md section 7
 */
export function buildSnapshot(input: Dated & { readonly meta: Readonly<Record<string, MetaInput>> }): JsonObject {
  const meta: Record<string, JsonObject> = {};
  for (const [name, entry] of Object.entries(input.meta)) {
    assertAsciiName(name, "role name");
    meta[name] = metaEntry(entry);
  }
  return { ...common("Snapshot", input), meta };
}

/** @throws AppError `uptane.malformed` @see contracts/uptane-metadata.md section 7 */
export function buildTimestamp(input: Dated & { readonly snapshot: MetaInput }): JsonObject {
  return { ...common("Timestamp", input), meta: { "snapshot.json": metaEntry(input.snapshot) } };
}

function common(type: string, { version, expires }: Dated): { _type: string; expires: string; version: number } {
  if (!Number.isSafeInteger(version) || version < 1) {
    throw new AppError("uptane.malformed", "A metadata version must be an integer from 1 up.");
  }
  return { _type: type, expires: formatExpires(expires), version };
}

function addTarget(
  targets: Record<string, JsonObject>,
  target: { readonly filename: string; readonly sha256: string; readonly length: number },
  custom: JsonObject | null,
): void {
  const { filename, sha256, length } = target;
  assertAsciiName(filename, "file name");
  if (Object.hasOwn(targets, filename) || filename === "__proto__") {
    throw new AppError("uptane.malformed", "A file name is listed twice or cannot be used.", { context: { filename } });
  }
  if (!/^[0-9a-f]{64}$/.test(sha256) || !Number.isSafeInteger(length) || length < 0) {
    throw new AppError("uptane.malformed", "A target needs a sha256 in lower-case hex and a length.", {
      context: { filename },
    });
  }
  targets[filename] = { custom, hashes: { sha256 }, length };
}

function directorCustom(target: DirectorTargetInput, serials: Set<string>): JsonObject {
  const ecuIdentifiers: Record<string, JsonObject> = {};
  for (const { serial, hardwareId } of target.ecus) {
    assertAsciiName(serial, "ECU serial");
    assertAsciiName(hardwareId, "hardware id");
    if (serials.has(serial) || serial === "__proto__") {
      throw new AppError("uptane.repeated_ecu", "An ECU is listed for two targets.", { context: { serial } });
    }
    serials.add(serial);
    ecuIdentifiers[serial] = { hardwareId };
  }
  return { ecuIdentifiers, uri: target.uri ?? null, userDefinedCustom: target.userDefinedCustom ?? null };
}

function metaEntry({ checksum, length, version }: MetaInput): JsonObject {
  return { hashes: { sha256: checksum }, length, version };
}

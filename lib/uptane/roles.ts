import type { RoleKeys } from "#lib/uptane/envelope.ts";
import { parseExpires } from "#lib/uptane/expiry.ts";
import { isJsonObject, type Json, type JsonObject } from "#lib/uptane/json.ts";
import { parseTufKey, type TufKey } from "#lib/uptane/keys.ts";
import {
  malformed,
  member,
  readArray,
  readHex,
  readInteger,
  readObject,
  readString,
  readStrings,
} from "#lib/uptane/read.ts";

/*
 * The `signed` part of each role as a typed value. Names that come from outside are keys of Maps, never of objects.
 * Every parser throws AppError `uptane.malformed`, and `uptane.key_type_unsupported` where keys are listed.
 */

export type RoleName = "root" | "targets" | "snapshot" | "timestamp";

type Common = { readonly version: number; readonly expires: Date };

export type Root = Common & {
  readonly keys: ReadonlyMap<string, TufKey>;
  readonly roles: Readonly<Record<RoleName, RoleKeys>>;
};

export type Hashes = { readonly sha256?: string; readonly sha512?: string };
export type MetaEntry = { readonly version: number; readonly length: number | null; readonly hashes: Hashes };
export type Snapshot = Common & { readonly meta: ReadonlyMap<string, MetaEntry> };
export type Timestamp = Common & { readonly snapshot: MetaEntry & { readonly length: number } };

export type TargetFormat = "BINARY" | "OSTREE";

/** Fields that belong to the other repository are kept, because their presence makes a target mismatch. */
export type Target = {
  readonly filename: string;
  readonly length: number;
  readonly hashes: Hashes;
  readonly uri: string | null;
  readonly targetFormat: TargetFormat | null;
  readonly hardwareIds: readonly string[] | null;
  /** ECU serial to hardware id. */
  readonly ecuIdentifiers: ReadonlyMap<string, string> | null;
};

export type Targets = Common & {
  readonly targets: ReadonlyMap<string, Target>;
  readonly correlationId: string | null;
  readonly delegatedRoles: number;
};

/** @see contracts/uptane-metadata.md section 5; roles beyond the four are ignored, as devices do */
export function parseRoot(signed: JsonObject): Root {
  const keys = new Map<string, TufKey>();
  for (const [keyid, key] of Object.entries(readObject(member(signed, "keys"), "keys")))
    keys.set(keyid, parseTufKey(key));
  const roles = readObject(member(signed, "roles"), "roles");
  return {
    ...parseCommon(signed, "Root"),
    keys,
    roles: {
      root: parseRoleKeys(member(roles, "root"), "root"),
      targets: parseRoleKeys(member(roles, "targets"), "targets"),
      snapshot: parseRoleKeys(member(roles, "snapshot"), "snapshot"),
      timestamp: parseRoleKeys(member(roles, "timestamp"), "timestamp"),
    },
  };
}

/** @see contracts/uptane-metadata.md section 6 and 8 */
export function parseTargets(signed: JsonObject): Targets {
  const targets = new Map<string, Target>();
  for (const [filename, item] of Object.entries(readObject(member(signed, "targets"), "targets"))) {
    targets.set(filename, parseTarget(filename, item));
  }
  const custom = member(signed, "custom");
  const correlationId = isJsonObject(custom) ? member(custom, "correlationId") : undefined;
  return {
    ...parseCommon(signed, "Targets"),
    targets,
    correlationId: typeof correlationId === "string" && correlationId !== "" ? correlationId : null,
    delegatedRoles: countDelegatedRoles(member(signed, "delegations")),
  };
}

/** @see contracts/uptane-metadata.md section 7; contracts/aktualizr-client.md section 5, "snapshot" */
export function parseSnapshot(signed: JsonObject): Snapshot {
  const meta = new Map<string, MetaEntry>();
  for (const [name, entry] of Object.entries(readObject(member(signed, "meta"), "meta"))) {
    meta.set(name, parseMetaEntry(entry, name));
  }
  return { ...parseCommon(signed, "Snapshot"), meta };
}

/** @see contracts/uptane-metadata.md section 7; contracts/aktualizr-client.md section 5, "timestamp" */
export function parseTimestamp(signed: JsonObject): Timestamp {
  const entry = parseMetaEntry(member(readObject(member(signed, "meta"), "meta"), "snapshot.json"), "snapshot.json");
  if (entry.length === null) throw malformed("snapshot.json needs a length");
  if (entry.hashes.sha256 === undefined && entry.hashes.sha512 === undefined) {
    throw malformed("snapshot.json needs a sha256 or sha512 hash");
  }
  return { ...parseCommon(signed, "Timestamp"), snapshot: { ...entry, length: entry.length } };
}

function parseCommon(signed: JsonObject, type: string): Common {
  if (member(signed, "_type") !== type) throw malformed(`its type is not ${type}`);
  return {
    version: readInteger(member(signed, "version"), "version", 1),
    expires: parseExpires(readString(member(signed, "expires"), "expires")),
  };
}

function parseRoleKeys(value: Json | undefined, name: string): RoleKeys {
  const role = readObject(value, `role ${name}`);
  const threshold = readInteger(member(role, "threshold"), "threshold", 1);
  if (threshold > 1000) throw malformed("a threshold is above 1000");
  return { keyids: readStrings(member(role, "keyids"), "keyids"), threshold };
}

function parseMetaEntry(value: Json | undefined, name: string): MetaEntry {
  const entry = readObject(value, name);
  const length = member(entry, "length");
  const hashes = member(entry, "hashes");
  return {
    version: readInteger(member(entry, "version"), `version of ${name}`, 1),
    length: length === undefined ? null : readInteger(length, `length of ${name}`),
    hashes: hashes === undefined ? {} : parseHashes(hashes),
  };
}

function parseHashes(value: Json | undefined): Hashes {
  const hashes = readObject(value, "hashes");
  const sha256 = member(hashes, "sha256");
  const sha512 = member(hashes, "sha512");
  return {
    ...(sha256 === undefined ? {} : { sha256: readHex(sha256, "sha256", 64) }),
    ...(sha512 === undefined ? {} : { sha512: readHex(sha512, "sha512", 128) }),
  };
}

function parseTarget(filename: string, item: Json): Target {
  if (filename === "") throw malformed("a target has an empty name");
  const target = readObject(item, "a target");
  const customValue = member(target, "custom") ?? null;
  const custom = customValue === null ? {} : readObject(customValue, "custom");
  const hardwareIds = member(custom, "hardwareIds");
  const ecuIdentifiers = member(custom, "ecuIdentifiers");
  const uri = member(custom, "uri") ?? null;
  return {
    filename,
    length: readInteger(member(target, "length"), "length"),
    hashes: parseHashes(member(target, "hashes")),
    uri: uri === null ? null : readString(uri, "uri"),
    targetFormat: parseFormat(member(custom, "targetFormat") ?? null),
    hardwareIds: hardwareIds === undefined ? null : readStrings(hardwareIds, "hardwareIds"),
    ecuIdentifiers: ecuIdentifiers === undefined ? null : parseEcuIdentifiers(ecuIdentifiers),
  };
}

function parseFormat(value: Json): TargetFormat | null {
  if (value === null || value === "BINARY" || value === "OSTREE") return value;
  throw malformed("a target format is neither BINARY nor OSTREE");
}

function parseEcuIdentifiers(value: Json): ReadonlyMap<string, string> {
  const serials = new Map<string, string>();
  for (const [serial, entry] of Object.entries(readObject(value, "ecuIdentifiers"))) {
    serials.set(serial, readString(member(readObject(entry, "an ECU"), "hardwareId"), "hardwareId"));
  }
  return serials;
}

/** Delegated documents are not followed; their keys are read because one of an unknown type refuses the whole. */
function countDelegatedRoles(value: Json | undefined): number {
  if (value === undefined || value === null) return 0;
  const delegations = readObject(value, "delegations");
  for (const key of Object.values(readObject(member(delegations, "keys") ?? {}, "delegation keys"))) parseTufKey(key);
  return readArray(member(delegations, "roles") ?? [], "delegated roles").length;
}

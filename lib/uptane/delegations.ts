import { AppError } from "#lib/errors/app-error.ts";
import { isJsonObject, type Json, type JsonObject } from "#lib/uptane/json.ts";
import { parseTufKey, serverKeyId, type TufKey } from "#lib/uptane/keys.ts";
import { malformed, member, readArray, readHex, readInteger, readObject, readString } from "#lib/uptane/read.ts";

/** Somebody who may sign for a part of the file names, given as shell globs in which `*` spans `/`. */
export type DelegatedRole = {
  readonly name: string;
  readonly keyids: readonly string[];
  readonly paths: readonly string[];
  readonly threshold: number;
  readonly terminating: boolean;
};

/** The `delegations` block of a targets document. */
export type Delegations = {
  readonly keys: ReadonlyMap<string, TufKey>;
  readonly roles: readonly DelegatedRole[];
};

const MAX_KEYS = 100;
const MAX_ROLES = 100;
const MAX_PATHS = 100;
const NAME = /^[a-zA-Z0-9_-][a-zA-Z0-9_.-]{0,49}$/;
/** Names of documents that stand beside the delegated ones. */
const RESERVED = new Set(["root", "targets", "snapshot", "timestamp"]);

/** Whether a delegated role may be called so: its document is `<name>.json`. @see contracts/reposerver-keyserver.md section 4 */
export function isDelegationName(name: string): boolean {
  return NAME.test(name) && !RESERVED.has(name);
}

/**
 * @param keys whose ids are the server's own, as signing tools compute them
 * @throws AppError `uptane.malformed` | `uptane.key_type_unsupported`
 */
export function parseDelegationKeys(keys: readonly Json[]): ReadonlyMap<string, TufKey> {
  if (keys.length > MAX_KEYS) throw malformed(`it has more than ${MAX_KEYS} keys`);
  return new Map(keys.map(parseTufKey).map((key) => [serverKeyId(key), key]));
}

/**
 * Reads delegated roles. Devices want every member there.
 *
 * @throws AppError `uptane.malformed` (also for a name twice, a key that is not among `keys`, a threshold that can't be met)
 * @see contracts/aktualizr-client.md section 5, "Image repo"; contracts/reposerver-keyserver.md section 4
 */
export function parseDelegatedRoles(value: Json, keys: ReadonlyMap<string, TufKey>): readonly DelegatedRole[] {
  const list = readArray(value, "delegated roles");
  if (list.length > MAX_ROLES) throw malformed(`it has more than ${MAX_ROLES} delegated roles`);
  const roles = list.map((item) => parseRole(readObject(item, "a delegated role"), keys));
  if (new Set(roles.map(({ name }) => name)).size < roles.length) throw malformed("a delegated role is named twice");
  return roles;
}

/** The block as it stands in targets. */
export function buildDelegations({ keys, roles }: Delegations): JsonObject {
  return {
    keys: Object.fromEntries(
      [...keys].map(([id, { keytype, keyval }]) => [id, { keytype, keyval: { public: keyval.public } }]),
    ),
    roles: roles.map((role) => ({ ...role })),
  };
}

/**
 * Whether a file name lies within what a role may sign for.
 *
 * @see POSIX fnmatch without flags, as devices call it: `*` and `?` also match `/`
 */
export function isDelegatedPath(role: DelegatedRole, filename: string): boolean {
  return role.paths.some((pattern) => matchesGlob(pattern, filename));
}

function parseRole(role: JsonObject, keys: ReadonlyMap<string, TufKey>): DelegatedRole {
  const name = readString(member(role, "name"), "name");
  if (!isDelegationName(name)) throw malformed("a delegated role can't have this name");
  const keyids = readArray(member(role, "keyids"), "keyids").map((id) => readHex(id, "a key id", 64));
  if (keyids.length === 0 || keyids.length > MAX_KEYS) throw malformed("a delegated role needs keys");
  if (!keyids.every((id) => keys.has(id))) throw malformed("a delegated role names a key that is not there");
  const threshold = readInteger(member(role, "threshold"), "threshold", 1);
  if (threshold > new Set(keyids).size) throw malformed("a threshold can't be met");
  const terminating = member(role, "terminating");
  if (typeof terminating !== "boolean") throw malformed("terminating must be true or false");
  const paths = readArray(member(role, "paths"), "paths").map(parsePath);
  if (paths.length === 0 || paths.length > MAX_PATHS) throw malformed(`a role has between 1 and ${MAX_PATHS} paths`);
  return { name, keyids, paths, threshold, terminating };
}

function parsePath(value: Json): string {
  const path = readString(value, "a path");
  if (!/^[\x21-\x7e](?:[\x20-\x7e]{0,251}[\x21-\x7e])?$/.test(path) || path.includes("..")) {
    throw malformed("a path has 1 to 253 printable ASCII characters, and no ..");
  }
  return path;
}

/** Back-tracks to the last star only, so its time is bounded by the product of both lengths. */
function matchesGlob(pattern: string, text: string): boolean {
  const tokens = tokensOf(pattern);
  let [at, token, star, starAt] = [0, 0, -1, 0];
  while (at < text.length) {
    const current = tokens[token];
    if (current === "*") {
      star = token;
      starAt = at;
      token += 1;
    } else if (current?.(text.charAt(at))) {
      at += 1;
      token += 1;
    } else if (star >= 0) {
      token = star + 1;
      starAt += 1;
      at = starAt;
    } else return false;
  }
  while (tokens[token] === "*") token += 1;
  return token === tokens.length;
}

type Token = "*" | ((character: string) => boolean);

function tokensOf(pattern: string): Token[] {
  const tokens: Token[] = [];
  for (let at = 0; at < pattern.length; ) {
    const [source = "", set, escaped] = /^(?:\[([!^]?\]?[^\]]*)\]|\\(.))/.exec(pattern.slice(at)) ?? [];
    const character = pattern.charAt(at);
    if (set !== undefined) tokens.push(inSet(set));
    else if (escaped !== undefined) tokens.push((given) => given === escaped);
    else if (character === "*") tokens.push("*");
    else tokens.push(character === "?" ? () => true : (given) => given === character);
    at += source.length || 1;
  }
  return tokens;
}

function inSet(text: string): (character: string) => boolean {
  const negated = /^[!^]/.test(text);
  const ranges = (negated ? text.slice(1) : text).matchAll(/([\s\S])-([\s\S])|([\s\S])/g);
  const bounds = [...ranges].map(([, from, to, one]) => [from ?? one ?? "", to ?? one ?? ""] as const);
  return (character) => bounds.some(([from, to]) => character >= from && character <= to) !== negated;
}

/** A stored or signed block. @throws AppError `uptane.malformed` | `uptane.key_type_unsupported` */
export function parseDelegations(value: Json): Delegations {
  if (!isJsonObject(value)) throw new AppError("uptane.malformed", "The delegations must be an object.");
  const keys = new Map(
    Object.entries(readObject(member(value, "keys"), "delegation keys")).map(([id, key]) => [id, parseTufKey(key)]),
  );
  return { keys, roles: parseDelegatedRoles(member(value, "roles") ?? [], keys) };
}

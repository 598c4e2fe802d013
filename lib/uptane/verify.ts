import { AppError } from "#lib/errors/app-error.ts";
import { type DelegatedRole, type Delegations, isDelegatedPath } from "#lib/uptane/delegations.ts";
import { assertThreshold, type Envelope, parseEnvelope } from "#lib/uptane/envelope.ts";
import { METADATA_LIMITS } from "#lib/uptane/limits.ts";
import {
  type MetaEntry,
  parseRoot,
  parseSnapshot,
  parseTargets,
  parseTimestamp,
  type RoleName,
  type Root,
  type Snapshot,
  type Targets,
  type Timestamp,
} from "#lib/uptane/roles.ts";

declare const proof: unique symbol;

/**
 * Metadata whose signatures met its role's threshold and that passed every check of the function that answered it. Only
 * this file can make one. `bytes` are those received, for storage; the hash is that of the canonical form.
 */
export type Verified<T, Role extends string> = {
  readonly signed: T;
  readonly bytes: Uint8Array;
  readonly sha256: string;
  readonly [proof]: Role;
};

export type VerifiedRoot = Verified<Root, "root">;
export type VerifiedTimestamp = Verified<Timestamp, "timestamp">;
export type VerifiedSnapshot = Verified<Snapshot, "snapshot">;
export type VerifiedImageTargets = Verified<Targets, "image-targets">;
export type VerifiedDelegatedTargets = Verified<Targets, "delegated-targets">;
export type VerifiedDirectorTargets = Verified<Targets, "director-targets">;

/**
 * Accepts the first root: pinned on the device beforehand, or fetched as `1.root.json` and trusted on first use. It must
 * sign itself. Its expiry is not looked at, since a chain may start at a root that expired long ago.
 *
 * @param expectedVersion 1 for a fetched `1.root.json`; left out for a pinned one
 * @throws AppError `uptane.malformed` | `uptane.too_large` | `uptane.not_canonical` | `uptane.signature_invalid` |
 *   `uptane.key_type_unsupported` | `uptane.threshold_unmet` | `uptane.version_mismatch`
 * @see contracts/aktualizr-client.md section 5, "Root"
 */
export function verifyInitialRoot(bytes: Uint8Array, expectedVersion?: number): VerifiedRoot {
  const envelope = parseEnvelope(bytes, METADATA_LIMITS.root);
  const root = parseRoot(envelope.signed);
  assertThreshold(envelope, root.keys, root.roles.root);
  if (expectedVersion !== undefined) assertVersion(root.version, expectedVersion);
  return brand(root, bytes, envelope);
}

/**
 * Accepts a newly fetched root as successor of the trusted one.
 *
 * Both thresholds are checked, the old root's and the new root's own: dropping the first lets a thief of new keys rotate us
 * away, dropping the second accepts a root nobody can extend. After it, stored non-root metadata must be forgotten.
 *
 * @returns the new trusted root; its version is always `current.signed.version + 1`
 * @throws AppError as {@link verifyInitialRoot}, and `uptane.rollback` for a version at or below the current one
 * @see TUF 1.0.31 section 5.3.4 and 5.3.5
 */
export function verifyNextRoot(current: VerifiedRoot, bytes: Uint8Array): VerifiedRoot {
  const envelope = parseEnvelope(bytes, METADATA_LIMITS.root);
  const root = parseRoot(envelope.signed);
  assertThreshold(envelope, current.signed.keys, current.signed.roles.root);
  assertThreshold(envelope, root.keys, root.roles.root);
  if (root.version <= current.signed.version) throw rollback("root", root.version, current.signed.version);
  assertVersion(root.version, current.signed.version + 1);
  return brand(root, bytes, envelope);
}

/** The latest root's expiry, checked once the chain is walked and again by every check below. @throws AppError `uptane.expired` */
export function assertRootUnexpired(root: VerifiedRoot, now: Date): void {
  assertUnexpired("root", root.signed.expires, now);
}

export type RoleInput = {
  readonly bytes: Uint8Array;
  readonly root: VerifiedRoot;
  readonly now: Date;
};

/**
 * @param input.storedVersion of the timestamp accepted last under this root; a lower one is a replay
 * @throws AppError `uptane.malformed` | `uptane.too_large` | `uptane.not_canonical` | `uptane.signature_invalid` |
 *   `uptane.threshold_unmet` | `uptane.rollback` | `uptane.expired`
 * @see TUF 1.0.31 section 5.4; contracts/aktualizr-client.md section 5
 */
export function verifyTimestamp(input: RoleInput & { readonly storedVersion?: number | undefined }): VerifiedTimestamp {
  const envelope = openRole(input, "timestamp", METADATA_LIMITS.timestamp);
  const timestamp = parseTimestamp(envelope.signed);
  assertNoRollback("timestamp", timestamp.version, input.storedVersion);
  assertUnexpired("timestamp", timestamp.expires, input.now);
  return brand(timestamp, input.bytes, envelope);
}

/**
 * @param input.stored the snapshot accepted last under this root: no document in it may go back or vanish
 * @throws AppError as {@link verifyTimestamp}, and `uptane.length_mismatch` | `uptane.hash_mismatch` |
 *   `uptane.version_mismatch` when it is not the snapshot that the timestamp names
 * @see TUF 1.0.31 section 5.5
 */
export function verifySnapshot(
  input: RoleInput & { readonly timestamp: VerifiedTimestamp; readonly stored?: Snapshot | undefined },
): VerifiedSnapshot {
  const named = input.timestamp.signed.snapshot;
  assertLengthWithin(input.bytes, named.length);
  const envelope = openRole(input, "snapshot", METADATA_LIMITS.snapshot, named);
  const snapshot = parseSnapshot(envelope.signed);
  assertVersion(snapshot.version, named.version);
  if (input.stored !== undefined) assertSnapshotMovesOn(snapshot, input.stored);
  assertUnexpired("snapshot", snapshot.expires, input.now);
  return brand(snapshot, input.bytes, envelope);
}

/**
 * @param input.storedVersion of the image targets accepted last under this root
 * @throws AppError as {@link verifySnapshot}, measured against the snapshot's entry `targets.json`
 * @see TUF 1.0.31 section 5.6; contracts/aktualizr-client.md section 5, "Image repo"
 */
export function verifyImageTargets(
  input: RoleInput & { readonly snapshot: VerifiedSnapshot; readonly storedVersion?: number | undefined },
): VerifiedImageTargets {
  const named = input.snapshot.signed.meta.get("targets.json");
  if (named === undefined) throw new AppError("uptane.malformed", "The snapshot does not name targets.json.");
  const envelope = openRole(input, "targets", METADATA_LIMITS.imageTargets, named);
  const targets = parseTargets(envelope.signed);
  assertVersion(targets.version, named.version);
  assertNoRollback("targets", targets.version, input.storedVersion);
  assertUnexpired("targets", targets.expires, input.now);
  return brand(targets, input.bytes, envelope);
}

/**
 * A delegated role's targets, as whoever delegates to it sees them. They may list only what is delegated, and delegate
 * nothing further.
 *
 * @param input.storedVersion of the document accepted last for this role
 * @throws AppError `uptane.malformed` | `uptane.too_large` | `uptane.not_canonical` | `uptane.signature_invalid` |
 *   `uptane.threshold_unmet` | `uptane.rollback` | `uptane.expired` | `uptane.target_mismatch` (outside of the paths)
 * @see TUF 1.0.31 section 5.6.7; contracts/aktualizr-client.md section 5, "Image repo"
 */
export function verifyDelegatedTargets(input: {
  readonly bytes: Uint8Array;
  readonly keys: Delegations["keys"];
  readonly role: DelegatedRole;
  readonly now: Date;
  readonly storedVersion?: number | undefined;
}): VerifiedDelegatedTargets {
  const { bytes, keys, role, now, storedVersion } = input;
  const envelope = parseEnvelope(bytes, METADATA_LIMITS.imageTargets);
  assertThreshold(envelope, keys, role);
  const targets = parseTargets(envelope.signed);
  if (targets.delegatedRoles > 0) throw new AppError("uptane.malformed", "A delegated role must not delegate further.");
  for (const filename of targets.targets.keys()) {
    if (isDelegatedPath(role, filename)) continue;
    throw new AppError("uptane.target_mismatch", "A target lies outside of what is delegated.", {
      context: { filename },
    });
  }
  assertNoRollback(role.name, targets.version, storedVersion);
  assertUnexpired(role.name, targets.expires, now);
  return brand(targets, bytes, envelope);
}

/**
 * One device's targets. An equal version passes, as on a device, but must not replace what is stored; nor must an empty
 * list replace a stored one that was not (`mayReplaceDirectorTargets`).
 *
 * @param input.storedVersion of the director targets accepted last under this root
 * @throws AppError as {@link verifyTimestamp}, and `uptane.repeated_ecu`
 * @see contracts/aktualizr-client.md section 5, "Director targets"
 */
export function verifyDirectorTargets(
  input: RoleInput & { readonly storedVersion?: number | undefined },
): VerifiedDirectorTargets {
  const envelope = openRole(input, "targets", METADATA_LIMITS.directorTargets);
  const targets = parseTargets(envelope.signed);
  if (targets.delegatedRoles > 0) throw new AppError("uptane.malformed", "The director must not delegate.");
  assertNoRollback("targets", targets.version, input.storedVersion);
  assertUnexpired("targets", targets.expires, input.now);
  assertEachEcuOnce(targets);
  return brand(targets, input.bytes, envelope);
}

/**
 * Whether newly verified director targets take the place of the stored ones. Same version, different content: no. Empty
 * after non-empty: no, which is why an update cannot be cancelled by listing nothing.
 *
 * @see contracts/uptane-metadata.md section 8, rule 6
 */
export function mayReplaceDirectorTargets(stored: Targets | null, fetched: Targets): boolean {
  if (stored === null) return true;
  return fetched.version > stored.version && (fetched.targets.size > 0 || stored.targets.size === 0);
}

function openRole(
  { bytes, root, now }: RoleInput,
  role: RoleName,
  limits: Parameters<typeof parseEnvelope>[1],
  named?: MetaEntry,
): Envelope {
  assertUnexpired("root", root.signed.expires, now);
  const envelope = parseEnvelope(bytes, limits);
  if (named !== undefined) assertHashes(envelope, named);
  assertThreshold(envelope, root.signed.keys, root.signed.roles[role]);
  return envelope;
}

function assertHashes(envelope: Envelope, { hashes }: MetaEntry): void {
  const same =
    (hashes.sha256 === undefined || hashes.sha256 === envelope.sha256) &&
    (hashes.sha512 === undefined || hashes.sha512 === envelope.sha512);
  if (!same) throw new AppError("uptane.hash_mismatch", "The document is not the one whose hash was signed.");
}

/** A stated length is an upper bound on the wire, nothing more: that is how devices use it. */
function assertLengthWithin(bytes: Uint8Array, length: number): void {
  if (bytes.byteLength <= length) return;
  throw new AppError("uptane.length_mismatch", "The document is longer than was signed.", {
    context: { length: bytes.byteLength, signedLength: length },
  });
}

function assertVersion(version: number, expected: number): void {
  if (version === expected) return;
  throw new AppError("uptane.version_mismatch", "The document does not have the version that was expected.", {
    context: { version, expected },
  });
}

function assertNoRollback(role: string, version: number, storedVersion: number | undefined): void {
  if (storedVersion !== undefined && version < storedVersion) throw rollback(role, version, storedVersion);
}

function assertSnapshotMovesOn(snapshot: Snapshot, stored: Snapshot): void {
  assertNoRollback("snapshot", snapshot.version, stored.version);
  for (const [name, entry] of stored.meta) {
    const version = snapshot.meta.get(name)?.version ?? 0;
    if (version < entry.version) throw rollback(name, version, entry.version);
  }
}

/** Equality is expiry, as in the device's string comparison. */
function assertUnexpired(role: string, expires: Date, now: Date): void {
  if (expires.getTime() > now.getTime()) return;
  throw new AppError("uptane.expired", `The ${role} metadata has expired.`, { context: { role } });
}

function assertEachEcuOnce(targets: Targets): void {
  const seen = new Set<string>();
  for (const target of targets.targets.values()) {
    for (const serial of target.ecuIdentifiers?.keys() ?? []) {
      if (seen.has(serial)) {
        throw new AppError("uptane.repeated_ecu", "An ECU is listed for two targets.", { context: { serial } });
      }
      seen.add(serial);
    }
  }
}

function rollback(role: string, version: number, storedVersion: number): AppError {
  return new AppError("uptane.rollback", `The ${role} metadata is older than what is stored.`, {
    context: { role, version, storedVersion },
  });
}

/** The one place where the proof is made. */
function brand<T, Role extends string>(signed: T, bytes: Uint8Array, envelope: Envelope): Verified<T, Role> {
  return { signed, bytes, sha256: envelope.sha256 } as Verified<T, Role>;
}

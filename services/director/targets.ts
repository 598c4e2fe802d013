import { createHash } from "node:crypto";
import { TargetFilename } from "#lib/contracts/console/common.ts";
import { isAppError } from "#lib/errors/app-error.ts";
import { canonicalBytes } from "#lib/uptane/canonical.ts";
import { isJsonObject, type Json, type JsonObject, parseJsonBounded } from "#lib/uptane/json.ts";
import { METADATA_LIMITS } from "#lib/uptane/limits.ts";
import { buildDirectorTargets, type DirectorTargetInput } from "#lib/uptane/metadata.ts";
import { member, readObject } from "#lib/uptane/read.ts";
import { parseTargets } from "#lib/uptane/roles.ts";
import type { InstalledImage } from "./store-devices.ts";

/** What a targets.json of one device says. */
export type TargetList = { readonly correlationId: string | null; readonly targets: readonly DirectorTargetInput[] };

export const EMPTY_LIST: TargetList = { correlationId: null, targets: [] };

export type ListedAssignment = {
  readonly ecuSerial: string;
  readonly correlationId: string;
  readonly filename: string;
  readonly sha256: string;
  readonly length: number;
  readonly uri: string | null;
  readonly custom: Json;
};

export type ListedEcu = {
  readonly serial: string;
  readonly hardwareId: string;
  readonly installed: InstalledImage | null;
};

/**
 * The list of the device's assignments: ECUs with the same file share one entry, and the id of the oldest assignment names the
 * whole. The director decides nothing about formats: to a device, a target is OSTree when its length is 0.
 *
 * @param assignments oldest first; those of ECUs that the device no longer has are left out, because a device that finds an ECU it
 *   does not know stops without a word
 * @see contracts/director.md section 9; contracts/aktualizr-client.md section 5, "Director targets"
 */
export function listAssigned(assignments: readonly ListedAssignment[], ecus: readonly ListedEcu[]): TargetList {
  const hardware = new Map(ecus.map((ecu) => [ecu.serial, ecu.hardwareId]));
  const targets: (DirectorTargetInput & { ecus: { serial: string; hardwareId: string }[] })[] = [];
  let correlationId: string | null = null;
  for (const assignment of assignments) {
    const hardwareId = hardware.get(assignment.ecuSerial);
    if (hardwareId === undefined) continue;
    correlationId ??= assignment.correlationId;
    const ecu = { serial: assignment.ecuSerial, hardwareId };
    const same = targets.find((target) => isSameTarget(target, assignment));
    if (same !== undefined) {
      same.ecus.push(ecu);
      continue;
    }
    const { filename, sha256, length, uri, custom } = assignment;
    targets.push({ filename, sha256, length, uri, userDefinedCustom: custom, ecus: [ecu] });
  }
  return { correlationId, targets };
}

/**
 * What takes the place of a list that the device has fetched and that was withdrawn. An empty list would not: a device keeps the one it
 * has until a newer one that is not empty comes. So the ECUs are told to have what they have.
 *
 * ECUs of the withdrawn list come first in question. Where none of them has ever reported an image, any other ECU of the device does:
 * it is the list as a whole that is replaced.
 *
 * @param previous the targets.json that was withdrawn, as signed
 * @returns the empty list when no image is known; then the device may still install
 * @see contracts/aktualizr-client.md section 5, "an empty target list does not cancel"
 */
export function listInstalled(
  correlationId: string,
  previous: Uint8Array | null,
  ecus: readonly ListedEcu[],
): TargetList {
  const listed = previous === null ? null : readList(previous).serials;
  const known = ecus.filter((ecu) => isKnownImage(ecu.installed));
  const concerned = known.filter((ecu) => listed?.has(ecu.serial));
  const chosen = concerned.length > 0 ? concerned : known;
  const seen = new Map<string, InstalledImage>();
  const assignments = chosen.flatMap(({ serial, installed }) => {
    if (installed === null) return [];
    const namesake = seen.get(installed.filename) ?? installed;
    // Two contents under one name can't stand in one list; one entry is enough to replace it.
    if (namesake.sha256 !== installed.sha256 || namesake.length !== installed.length) return [];
    seen.set(installed.filename, installed);
    return [{ ...installed, ecuSerial: serial, correlationId, uri: null, custom: null }];
  });
  return assignments.length === 0 ? EMPTY_LIST : listAssigned(assignments, chosen);
}

/** SHA-256 of nothing: what a device that runs its factory image reports. */
const SHA256_OF_NOTHING = createHash("sha256").digest("hex");
const NO_IMAGE = new Set(["unknown", "noimage"]);

/** Whether an ECU reported an image that metadata can name. @see contracts/aktualizr-client.md section 7, "Nothing installed yet" */
export function isKnownImage(installed: InstalledImage | null): installed is InstalledImage {
  if (installed === null || NO_IMAGE.has(installed.filename) || installed.filename === "__proto__") return false;
  if (!TargetFilename.safeParse(installed.filename).success) return false;
  return /^[0-9a-f]{64}$/.test(installed.sha256) && installed.sha256 !== SHA256_OF_NOTHING;
}

/** Which ECUs a signed targets.json of ours names, and under which correlation id. */
export function readList(targetsBytes: Uint8Array): { serials: ReadonlySet<string>; correlationId: string | null } {
  const { targets, correlationId } = parseTargets(signedPart(targetsBytes));
  const serials = [...targets.values()].flatMap(({ ecuIdentifiers }) => [...(ecuIdentifiers?.keys() ?? [])]);
  return { serials: new Set(serials), correlationId };
}

/** The `signed` part of a document that we signed and stored. */
export function signedPart(bytes: Uint8Array): JsonObject {
  const document = parseJsonBounded(bytes, METADATA_LIMITS.directorTargets);
  if (!isJsonObject(document)) throw new TypeError("stored metadata is no object");
  return readObject(member(document, "signed"), "signed");
}

/** Signature and envelope around a list: one Ed25519 or RSA-4096 signature with room to spare. */
const ENVELOPE_BYTES = 2_048;

/**
 * Whether the list can be signed and a device would read it.
 *
 * @returns null, or the reason why not
 */
export function refusalOf(list: TargetList): { code: string; description: string } | null {
  try {
    const signed = buildDirectorTargets({ version: 2_147_483_647, expires: new Date(0), ...list });
    if (canonicalBytes(signed).length + ENVELOPE_BYTES <= METADATA_LIMITS.directorTargets.maxBytes) return null;
    return {
      code: "metadata_too_large",
      description: "The device's targets.json would be larger than the 64 KiB that devices read.",
    };
  } catch (error) {
    if (!isAppError(error)) throw error;
    return { code: "invalid_assignment", description: error.message };
  }
}

function isSameTarget(target: DirectorTargetInput, assignment: ListedAssignment): boolean {
  return (
    target.filename === assignment.filename &&
    target.sha256 === assignment.sha256 &&
    target.length === assignment.length &&
    (target.uri ?? null) === assignment.uri &&
    canonicalBytes(target.userDefinedCustom ?? null).equals(canonicalBytes(assignment.custom))
  );
}

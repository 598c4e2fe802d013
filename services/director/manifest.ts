import { createHash, randomUUID } from "node:crypto";
import type { Ctx } from "#lib/ctx.ts";
import type { Tx } from "#lib/db/client.ts";
import { storableText } from "#lib/domain/storable-text.ts";
import { AppError, isAppError } from "#lib/errors/app-error.ts";
import { parseTufKey, type TufKey } from "#lib/uptane/keys.ts";
import { type ParsedManifest, parseManifest, verifyManifest } from "#lib/uptane/manifest.ts";
import { announce, announceIdle, indexDevices } from "./announce.ts";
import { concludedSteps, type VerifiedEcu } from "./conclusions.ts";
import { decideOutcome, type EarlierFate, type Outcome } from "./outcome.ts";
import {
  type AssignmentRow,
  CANCELLED_BY_PERSON,
  closeAssignments,
  concludePast,
  listAssignments,
  listPast,
  type PastAssignment,
} from "./store-assignments.ts";
import { type DeviceRow, type EcuRow, listEcus, lockDevices, updateDevice, updateInstalled } from "./store-devices.ts";
import { archive, findManifestFacts, type ManifestFacts } from "./store-manifests.ts";
import { noteUpdateOutcome } from "./update-progress.ts";

/** An idle device says the same every few seconds; that it spoke is written down no oftener than this. */
const IDLE_NOTE_MS = 300_000;
/** Devices send one; keys that are being replaced may make it two. */
const MAX_SIGNATURES = 8;
/** One more than a name may have, so that a name that had to be cut equals none. */
const STORED_FILENAME_LENGTH = 254;

/**
 * Takes a device's signed manifest: verifies it before believing a word, keeps the bytes as received, and draws the conclusions of
 * contracts/director.md section 5 in one transaction. A repeat of the last one, with nothing assigned, costs one statement.
 *
 * @param bytes the body as received
 * @throws AppError `ota.signature_not_valid` (unreadable, an unknown ECU, or not signed by the keys registered for the primary and for
 *   each ECU) | `ota.ecu_not_primary` | `ota.device_missing_primary_ecu`
 * @see contracts/director.md section 4.3 and 5; contracts/aktualizr-client.md section 7
 */
export async function receiveManifest(ctx: Ctx, deviceUuid: string, bytes: Buffer): Promise<void> {
  const manifest = parse(bytes);
  const facts = await findManifestFacts(ctx.db, ctx.namespaceId, deviceUuid);
  if (facts === null || facts.primarySerial === null) throw noPrimary();
  const before = verify(manifest, facts.ecus, facts.primarySerial);
  if (isIdleRepeat(ctx, manifest, facts)) return;
  await ctx.db.$transaction(async (tx) => {
    const [device] = await lockDevices(tx, ctx.namespaceId, [deviceUuid]);
    if (device === undefined || device.deletedAt !== null || device.primarySerial === null) throw noPrimary();
    const registered = await listEcus(tx, ctx.namespaceId, [deviceUuid]);
    // The ECUs may have been registered anew since: what counts is who may sign now.
    const same = device.primarySerial === facts.primarySerial && isSameKeys(facts.ecus, registered);
    const ecus = same ? before : verify(manifest, registered, device.primarySerial);
    await conclude(tx, ctx, { device, registered, ecus, manifest, bytes });
  });
}

function parse(bytes: Buffer): ParsedManifest {
  try {
    const manifest = parseManifest(bytes);
    // Each one costs a verification, and a manifest may speak for a hundred ECUs.
    if ([manifest, ...manifest.ecus].some(({ signatures }) => signatures.length > MAX_SIGNATURES)) {
      throw new AppError(
        "ota.signature_not_valid",
        `A part of the manifest has more than ${MAX_SIGNATURES} signatures.`,
      );
    }
    return manifest;
  } catch (cause) {
    if (!isAppError(cause, "uptane.malformed")) throw cause;
    throw new AppError("ota.signature_not_valid", `The manifest can't be read: ${cause.message}`, { cause });
  }
}

type KeyRow = { readonly serial: string; readonly keyType: string; readonly publicValue: string };

function verify(manifest: ParsedManifest, ecus: readonly KeyRow[], primarySerial: string): readonly VerifiedEcu[] {
  const keys = new Map<string, TufKey>(
    ecus.map(({ serial, keyType, publicValue }) => [
      serial,
      parseTufKey({ keytype: keyType, keyval: { public: publicValue } }),
    ]),
  );
  const verdict = verifyManifest(manifest, keys, primarySerial);
  if (verdict.kind === "accepted") return verdict.ecus;
  if (verdict.reasons.every(({ code }) => code === "primary_mismatch")) {
    throw new AppError(
      "ota.ecu_not_primary",
      "The manifest names another ECU as primary than the one that is registered.",
    );
  }
  const reasons = verdict.reasons.slice(0, 20).map(({ code, serial }) => `${code} (${storableText(serial, 64)})`);
  throw new AppError("ota.signature_not_valid", `The manifest is not valid: ${reasons.join(", ")}`);
}

function isSameKeys(left: readonly KeyRow[], right: readonly KeyRow[]): boolean {
  const keys = new Map(left.map((ecu) => [ecu.serial, ecu]));
  return (
    left.length === right.length &&
    right.every(({ serial, keyType, publicValue }) => {
      const key = keys.get(serial);
      return key?.keyType === keyType && key.publicValue === publicValue;
    })
  );
}

function isIdleRepeat(ctx: Ctx, manifest: ParsedManifest, facts: ManifestFacts): boolean {
  if (facts.assigned || facts.mayStillInstall || facts.lastManifestDigest !== manifest.contentSha256) return false;
  const noted = facts.lastManifestAt;
  return noted !== null && ctx.clock().getTime() - noted.getTime() < IDLE_NOTE_MS;
}

type Received = {
  readonly device: DeviceRow;
  readonly registered: readonly EcuRow[];
  readonly ecus: readonly VerifiedEcu[];
  readonly manifest: ParsedManifest;
  readonly bytes: Buffer;
};

async function conclude(tx: Tx, ctx: Ctx, received: Received): Promise<void> {
  const { device, ecus, manifest, bytes } = received;
  const at = ctx.clock();
  const assignments = await listAssignments(tx, ctx.namespaceId, [device.uuid]);
  const past = await pastOfReport(tx, ctx, { device, manifest, assignments });
  const repeated = device.lastManifestDigest === manifest.contentSha256 && assignments.length === 0;
  const outcome = repeated
    ? NOTHING
    : decideOutcome({ assignments, ecus, report: manifest.report, earlier: fateOf(past) });
  const steps = concludedSteps({ outcome, assignments, ecus, past });
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  const manifestId = await archive(tx, {
    id: randomUUID(),
    deviceUuid: device.uuid,
    sha256,
    digest: manifest.contentSha256,
    bytes: Uint8Array.from(bytes),
    evidence: steps.some(({ proof }) => proof !== null),
    receivedAt: at,
  });
  const installed = await noteInstalled(tx, { received, manifestId, at });
  await close(tx, ctx, { outcome, device, past });
  await noteUpdateOutcome(tx, ctx, { deviceUuid: device.uuid, ecus: received.registered, assignments, outcome });
  await updateDevice(tx, device.uuid, {
    lastManifestDigest: manifest.contentSha256,
    lastManifestAt: at,
    ...deviceChange(device, { outcome, installed }),
  });
  await announce(
    tx,
    ctx,
    steps.map((step) => ({ kind: "completed", deviceUuid: device.uuid, manifestId, manifestSha256: sha256, ...step })),
  );
  if (installed || outcome.closed.length > 0) await indexDevices(tx, ctx, [device.uuid]);
  if (!steps.some(({ conclusive }) => conclusive)) await announceIdle(tx, ctx, device.uuid);
}

const NOTHING: Outcome<AssignmentRow> = { closed: [], outdated: false, completions: [], forgotList: false };

/** What ended earlier under the id that the report names; nothing to ask while an assignment of that id is open. */
async function pastOfReport(
  tx: Tx,
  ctx: Ctx,
  of: { device: DeviceRow; manifest: ParsedManifest; assignments: readonly AssignmentRow[] },
): Promise<PastAssignment[]> {
  const { report } = of.manifest;
  if (report.kind !== "present") return [];
  const { correlationId } = report.report;
  if (of.assignments.some((assignment) => assignment.correlationId === correlationId)) return [];
  if (storableText(correlationId, 300) !== correlationId) return [];
  return listPast(tx, { namespaceId: ctx.namespaceId, deviceUuid: of.device.uuid, correlationId });
}

function fateOf(past: readonly PastAssignment[]): EarlierFate {
  if (past.length === 0) return "none";
  return past.some(({ result }) => result === CANCELLED_BY_PERSON) ? "cancelled" : "concluded";
}

/** @returns whether an ECU runs something else than was known */
async function noteInstalled(tx: Tx, of: { received: Received; manifestId: string; at: Date }): Promise<boolean> {
  const { device, registered, ecus } = of.received;
  const known = new Map(registered.map((ecu) => [ecu.serial, ecu.installed]));
  const changed = ecus.flatMap(({ serial, installedImage }) => {
    const filename = storableText(installedImage.filepath, STORED_FILENAME_LENGTH);
    const { sha256, length } = installedImage;
    const before = known.get(serial);
    const same = before?.filename === filename && before.sha256 === sha256 && before.length === length;
    return same ? [] : [{ serial, filename, sha256, length }];
  });
  await updateInstalled(tx, { deviceUuid: device.uuid, at: of.at, manifestId: of.manifestId }, changed);
  return changed.length > 0;
}

async function close(
  tx: Tx,
  ctx: Ctx,
  of: { outcome: Outcome<AssignmentRow>; device: DeviceRow; past: readonly PastAssignment[] },
): Promise<void> {
  const { outcome, device, past } = of;
  const codes = new Map(outcome.completions.map(({ correlationId, result }) => [correlationId, result.code]));
  await closeAssignments(
    tx,
    { namespaceId: ctx.namespaceId, at: ctx.clock() },
    outcome.closed.map(({ assignment, successful, canceled }) => ({
      assignment,
      successful,
      canceled,
      result: storableText(codes.get(assignment.correlationId) ?? "", 200),
    })),
  );
  if (fateOf(past) !== "cancelled") return;
  for (const [correlationId, code] of codes) {
    const of = { namespaceId: ctx.namespaceId, deviceUuid: device.uuid, correlationId };
    await concludePast(tx, of, storableText(code, 200));
  }
}

/**
 * A device that failed has forgotten its list, so nothing has to take the place of one that was withdrawn. While something has, it follows
 * what the device runs: else a list made before would take the device back.
 */
function deviceChange(
  device: DeviceRow,
  of: { outcome: Outcome<AssignmentRow>; installed: boolean },
): Partial<Pick<DeviceRow, "metadataOutdated" | "mayStillInstall" | "withdrawnCorrelationId">> {
  const { outcome, installed } = of;
  const withdrawn = device.withdrawnCorrelationId !== null && !outcome.forgotList;
  const outdated = outcome.outdated || (withdrawn && (installed || device.mayStillInstall));
  return {
    ...(device.mayStillInstall ? { mayStillInstall: false } : {}),
    ...(outcome.forgotList ? { withdrawnCorrelationId: null } : {}),
    ...(outdated ? { metadataOutdated: true } : {}),
  };
}

function noPrimary(): AppError {
  return new AppError("ota.device_missing_primary_ecu", "The device has not registered its ECUs.");
}

import type { CertificateState } from "#lib/contracts/console/certificates.ts";
import type { Activity } from "#lib/contracts/console/devices.ts";
import type { Db, Tx } from "#lib/db/client.ts";
import { publishEvent } from "#lib/db/events.ts";
import { storableText } from "#lib/domain/storable-text.ts";
import { advance, type DeviceProgress, storyOf } from "./progress.ts";
import * as store from "./store-write.ts";

export type { DeviceProgress } from "./progress.ts";

export type FleetEcu = {
  serial: string;
  hardwareId: string;
  primary: boolean;
  installed: { filename: string; sha256: string; length: number } | null;
  assigned: { filename: string; sha256: string } | null;
};

/** Makes the device's row, or renames it. `simulated` absent leaves the mark as it is. */
export async function upsertDevice(
  tx: Tx,
  namespaceId: string,
  device: { uuid: string; name: string; deviceId: string; createdAt: Date; simulated?: boolean },
): Promise<void> {
  await store.upsertRow(tx, namespaceId, { ...device, simulated: device.simulated ?? null });
  await announce(tx, namespaceId, [device.uuid]);
}

/** Forgets the device and its story; a device without a row is fine. */
export async function removeDevice(tx: Tx, namespaceId: string, uuid: string): Promise<void> {
  if (await store.deleteRow(tx, namespaceId, uuid)) await announce(tx, namespaceId, [uuid]);
}

/**
 * Shows what was decided about a certificate on its device's row. An allowed certificate is never hidden by the fate of
 * another one. The state `expired` is derived when read, never stored.
 */
export async function setCertificate(
  tx: Tx,
  namespaceId: string,
  certificate: {
    deviceUuid: string;
    fingerprint: string;
    state: CertificateState;
    notAfter: Date | null;
    simulated?: boolean;
  },
): Promise<void> {
  const row = { ...certificate, simulated: certificate.simulated ?? null };
  if (await store.updateCertificate(tx, namespaceId, row)) await announce(tx, namespaceId, [certificate.deviceUuid]);
}

/** Replaces what is known of the device's ECUs: hardware, installed and assigned images. */
export async function setEcus(tx: Tx, namespaceId: string, uuid: string, ecus: readonly FleetEcu[]): Promise<void> {
  await setEcusMany(tx, namespaceId, [{ uuid, ecus }]);
}

/** {@link setEcus} for many devices in one statement. */
export async function setEcusMany(
  tx: Tx,
  namespaceId: string,
  devices: readonly { uuid: string; ecus: readonly FleetEcu[] }[],
): Promise<void> {
  if (devices.length === 0) return;
  const changed = await store.updateEcus(
    tx,
    namespaceId,
    devices.map((device) => ecuColumns(device.uuid, device.ecus)),
  );
  if (changed > 0)
    await announce(
      tx,
      namespaceId,
      devices.map((device) => device.uuid),
    );
}

/** Why the device's last ECU registration was refused; null once one was accepted. */
export async function setRegistrationRefusal(
  tx: Tx,
  namespaceId: string,
  uuid: string,
  code: string | null,
): Promise<void> {
  if (await store.updateRefusal(tx, namespaceId, uuid, code)) await announce(tx, namespaceId, [uuid]);
}

/**
 * Moves the device along its assignment and adds the step to its story. Late, repeated and foreign steps leave the status alone
 * (see README). Callers that also follow updates use `recordProgressEverywhere` of the rollouts area.
 */
export async function recordProgress(tx: Tx, namespaceId: string, step: DeviceProgress): Promise<void> {
  await recordProgressMany(tx, namespaceId, [step]);
}

/** {@link recordProgress} for many steps in a fixed number of statements; several steps of one device apply in their order. */
export async function recordProgressMany(tx: Tx, namespaceId: string, given: readonly DeviceProgress[]): Promise<void> {
  if (given.length === 0) return;
  const steps = given.map(storableStep);
  const rows = await store.lockProgress(tx, namespaceId, [...new Set(steps.map((step) => step.deviceUuid))]);
  const known = new Map(rows.map((row) => [row.uuid, row]));
  const changed = new Set<string>();
  for (const step of steps) {
    const row = known.get(step.deviceUuid);
    if (row === undefined) continue;
    const change = advance(row, step);
    if (Object.keys(change).length === 0) continue;
    known.set(step.deviceUuid, { ...row, ...change });
    changed.add(step.deviceUuid);
  }
  await store.updateProgress(
    tx,
    namespaceId,
    [...known.values()].filter((row) => changed.has(row.uuid)),
  );
  const told = steps.filter((step) => known.has(step.deviceUuid)).flatMap(toStoryLine);
  await store.insertActivities(tx, namespaceId, told);
  const touched = new Set([...changed, ...told.map((line) => line.deviceUuid)]);
  await announce(tx, namespaceId, [...touched]);
}

/** Adds a line to the device's story, which keeps its last 500. */
export async function recordActivity(
  tx: Tx,
  namespaceId: string,
  line: {
    deviceUuid: string;
    at: Date;
    kind: Activity["kind"];
    text: string;
    detail?: Readonly<Record<string, unknown>>;
  },
): Promise<void> {
  await store.insertActivities(tx, namespaceId, [
    { ...line, text: storableText(line.text), detail: storableDetail(line.detail) },
  ]);
  await announce(tx, namespaceId, [line.deviceUuid]);
}

/**
 * Remembers contacts seen at the door: one statement for any number, never back in time. It announces nothing, since a
 * busy fleet would have every page read again each second; pages show the age of what they know.
 */
export async function touchDevices(
  db: Db,
  namespaceId: string,
  seen: readonly { uuid: string; at: Date; address: string }[],
): Promise<void> {
  if (seen.length > 0) await store.updateSeen(db, namespaceId, seen);
}

/** The device asked the director for its root: its contact counts, and a device never seen before is up to date from now on. */
export async function recordContact(tx: Tx, namespaceId: string, uuid: string, at: Date): Promise<void> {
  if (!(await store.updateFirstContact(tx, namespaceId, uuid, at))) return;
  await recordActivity(tx, namespaceId, { deviceUuid: uuid, at, kind: "connection", text: "First contact." });
}

async function announce(tx: Tx, namespaceId: string, uuids: readonly string[]): Promise<void> {
  if (uuids.length === 0) return;
  const [first = ""] = uuids;
  await publishEvent(tx, namespaceId, { topic: "device", subjectId: uuids.length === 1 ? first : "" });
}

function storableStep(step: DeviceProgress): DeviceProgress {
  return {
    ...step,
    ...(step.code === undefined ? {} : { code: storableText(step.code, 200) }),
    ...(step.text === undefined ? {} : { text: storableText(step.text) }),
    ...(step.filenames === undefined
      ? {}
      : { filenames: step.filenames.slice(0, 100).map((name) => storableText(name)) }),
  };
}

function toStoryLine(step: DeviceProgress): store.ActivityRow[] {
  const line = storyOf(step);
  if (line === null) return [];
  const detail = {
    ...(step.correlationId === null ? {} : { correlationId: step.correlationId }),
    ...(step.code === undefined ? {} : { code: step.code }),
    ...(step.filenames === undefined ? {} : { filenames: step.filenames }),
  };
  return [{ deviceUuid: step.deviceUuid, at: step.at, kind: line.kind, text: line.text, detail }];
}

/** Through JSON and back, with every string made storable. */
function storableDetail(detail: Readonly<Record<string, unknown>> | undefined): unknown {
  if (detail === undefined) return null;
  return JSON.parse(JSON.stringify(detail), (_key, value) => (typeof value === "string" ? storableText(value) : value));
}

function ecuColumns(uuid: string, given: readonly FleetEcu[]): store.EcuColumns {
  const ecus = given.map((ecu) => ({
    serial: storableText(ecu.serial),
    hardwareId: storableText(ecu.hardwareId),
    primary: ecu.primary,
    installed: ecu.installed === null ? null : { ...ecu.installed, filename: storableText(ecu.installed.filename) },
    assigned: ecu.assigned === null ? null : { ...ecu.assigned, filename: storableText(ecu.assigned.filename) },
  }));
  const primary = ecus.find((ecu) => ecu.primary);
  const primaryFirst = [...ecus].sort((a, b) => Number(b.primary) - Number(a.primary));
  return {
    uuid,
    ecus,
    hardwareIds: distinct(primaryFirst.map((ecu) => ecu.hardwareId)),
    primaryHardwareId: primary?.hardwareId ?? null,
    installedFilenames: distinct(primaryFirst.flatMap((ecu) => ecu.installed?.filename ?? [])),
    primaryImage: primary?.installed?.filename ?? null,
    assignedFilenames: distinct(primaryFirst.flatMap((ecu) => ecu.assigned?.filename ?? [])),
  };
}

function distinct(values: readonly string[]): string[] {
  return [...new Set(values)];
}

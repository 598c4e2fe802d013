import { z } from "zod";
import type { CertificateState } from "#lib/contracts/console/certificates.ts";
import { type Device, DeviceStatus } from "#lib/contracts/console/devices.ts";
import { MenderDeviceStatus } from "#lib/contracts/mender.ts";
import { explain } from "#lib/domain/why.ts";
import { type DeviceRow, effectiveState } from "./store-read.ts";

const StoredEcus = z.array(
  z.object({
    serial: z.string(),
    hardwareId: z.string(),
    primary: z.boolean(),
    installed: z.object({ filename: z.string(), sha256: z.string(), length: z.number() }).nullable(),
    assigned: z.object({ filename: z.string(), sha256: z.string() }).nullable(),
  }),
);

export function toEcus(stored: unknown): z.infer<typeof StoredEcus> {
  return StoredEcus.parse(stored);
}

/** The device as the console shows it, with why it is in its state at `now`. */
export function toDevice(row: DeviceRow, now: Date): Device {
  const status = DeviceStatus.parse(row.status);
  const ecus = toEcus(row.ecus);
  const state = effectiveState(row, now);
  const certificate = toCertificate(row, state);
  const mender = toMender(row);
  return {
    uuid: row.uuid,
    name: row.name,
    deviceId: row.deviceId,
    status,
    statusReason: mender?.only === true ? `${mender.status} at the Mender server` : row.statusReason,
    statusAt: row.statusAt.toISOString(),
    lastSeenAt: toInstant(row.lastSeenAt),
    lastManifestAt: toInstant(row.lastManifestAt),
    createdAt: row.createdAt.toISOString(),
    hardwareIds: row.hardwareIds,
    ecus: ecus.map((ecu) => ({
      ...ecu,
      installed: ecu.installed === null ? null : { filename: ecu.installed.filename, sha256: ecu.installed.sha256 },
    })),
    certificate,
    address: row.address,
    simulated: row.simulated,
    mender,
    correlationId: row.correlationId,
    why:
      mender?.only === true
        ? MENDERS_OWN
        : explain(
            {
              ...row,
              status,
              certificate: state === null ? null : { state, notAfter: row.certificateNotAfter },
              ecuCount: ecus.length,
              assignment:
                row.correlationId === null
                  ? null
                  : { filenames: row.assignedFilenames, assignedAt: row.assignedAt, fetchedAt: row.fetchedAt },
              lastFailure:
                row.lastFailureAt === null
                  ? null
                  : { code: row.lastFailureCode, text: row.lastFailureText, at: row.lastFailureAt },
            },
            now,
          ),
  };
}

/** No check of ours says anything about it. */
const MENDERS_OWN: Device["why"] = {
  summary: "Known from the Mender server alone, which updates it; no certificate here has come with its key.",
  reasons: [],
};

function toCertificate(row: DeviceRow, state: CertificateState | null): Device["certificate"] {
  if (row.certificateFingerprint === null || state === null) return null;
  return { fingerprint: row.certificateFingerprint, state, notAfter: toInstant(row.certificateNotAfter) };
}

function toMender({ menderId, menderStatus, menderOnly }: DeviceRow): Device["mender"] {
  const status = MenderDeviceStatus.safeParse(menderStatus);
  return menderId === null || !status.success ? null : { id: menderId, status: status.data, only: menderOnly };
}

function toInstant(at: Date | null): string | null {
  return at === null ? null : at.toISOString();
}

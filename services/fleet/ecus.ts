import { storableText } from "#lib/domain/storable-text.ts";
import type { EcuColumns } from "./store-write.ts";

export type FleetEcu = {
  serial: string;
  hardwareId: string;
  primary: boolean;
  installed: { filename: string; sha256: string; length: number } | null;
  assigned: { filename: string; sha256: string } | null;
};

/** Limits of the contract (README.md section 5); a device may claim more, and an index entry can't hold any length. */
const SERIAL_LENGTH = 64;
const HARDWARE_ID_LENGTH = 200;
const FILENAME_LENGTH = 253;

/** The columns of a fleet row that follow from its ECUs; the primary's come first. */
export function ecuColumns(uuid: string, given: readonly FleetEcu[]): EcuColumns {
  const ecus = given.map((ecu) => ({
    serial: storableText(ecu.serial, SERIAL_LENGTH),
    hardwareId: storableText(ecu.hardwareId, HARDWARE_ID_LENGTH),
    primary: ecu.primary,
    installed:
      ecu.installed === null
        ? null
        : { ...ecu.installed, filename: storableText(ecu.installed.filename, FILENAME_LENGTH) },
    assigned:
      ecu.assigned === null
        ? null
        : { ...ecu.assigned, filename: storableText(ecu.assigned.filename, FILENAME_LENGTH) },
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

import type { AssignmentRefusal, MtuTargets, TargetUpdate } from "#lib/contracts/ota/director.ts";
import { type ImageRef, judgeEcu } from "#lib/domain/eligibility.ts";
import type { Json } from "#lib/uptane/json.ts";
import type { AssignmentRow } from "./store-assignments.ts";
import type { EcuRow } from "./store-devices.ts";
import { listAssigned, refusalOf } from "./targets.ts";

export type DeviceVerdict = {
  /** Assignments to be made. */
  readonly created: readonly AssignmentRow[];
  /** ECUs that are affected: those, and ECUs that hold exactly this assignment already. */
  readonly affected: readonly string[];
  readonly refused: Readonly<Record<string, AssignmentRefusal>>;
};

/**
 * Which ECUs of one device a multi-target update affects, and why the others are not: contracts/director.md section 3.2, each
 * ECU by the one eligibility function (rules 3 to 5). An ECU that holds this very assignment counts as affected, so that a caller may ask again after
 * it lost the answer.
 *
 * Beyond the contract: an assignment that would make metadata which devices refuse is refused here, where somebody is listening, and so is
 * one of an image whose bytes were found to differ from what was signed.
 */
export function judgeDevice(of: {
  readonly deviceUuid: string;
  readonly correlationId: string;
  readonly targets: MtuTargets;
  readonly ecus: readonly EcuRow[];
  readonly open: readonly AssignmentRow[];
  /** Images whose stored bytes are not what was signed, with what was found. */
  readonly condemned: ReadonlyMap<string, string>;
  /** The device has an update of `/updates` under way, another than this. */
  readonly busy: boolean;
  readonly at: Date;
}): DeviceVerdict {
  const matching = of.ecus.flatMap((ecu) => {
    const target = Object.hasOwn(of.targets, ecu.hardwareId) ? of.targets[ecu.hardwareId] : undefined;
    return target === undefined ? [] : [{ ecu, target }];
  });
  if (matching.length === 0) {
    const serial = of.ecus.find(({ primary }) => primary)?.serial ?? "unknown";
    return { created: [], affected: [], refused: { [serial]: refusal(NO_HARDWARE) } };
  }
  if (of.busy) {
    const refused = Object.fromEntries(matching.map(({ ecu }) => [ecu.serial, refusal(HAS_UPDATE)]));
    return { created: [], affected: [], refused };
  }
  const created: AssignmentRow[] = [];
  const affected: string[] = [];
  const refused: Record<string, AssignmentRefusal> = {};
  for (const { ecu, target } of matching) {
    const open = of.open.find(({ ecuSerial }) => ecuSerial === ecu.serial) ?? null;
    if (open !== null && isSameAssignment(open, of.correlationId, target)) {
      affected.push(ecu.serial);
      continue;
    }
    const reason = judgeEcu({ ...ecu, assigned: open }, { from: refOf(target.from), to: toRef(target.to) });
    const condemned = of.condemned.get(target.to.target);
    if (reason === null && condemned !== undefined) {
      refused[ecu.serial] = refusal(condemnation(target.to.target, condemned));
    } else if (reason === null) {
      affected.push(ecu.serial);
      created.push(newAssignment(of, ecu.serial, target));
    } else refused[ecu.serial] = refusal({ code: reason.code, description: reason.text });
  }
  const unusable = created.length === 0 ? null : refusalOf(listAssigned([...of.open, ...created], of.ecus));
  if (unusable === null) return { created, affected, refused };
  const kept = new Set(created.map(({ ecuSerial }) => ecuSerial));
  for (const serial of kept) refused[serial] = refusal(unusable);
  return { created: [], affected: affected.filter((serial) => !kept.has(serial)), refused };
}

const NO_HARDWARE = {
  code: "device_no_compatible_hardware",
  description: "None of the device's ECUs has hardware that the update is for",
};

const HAS_UPDATE = {
  code: "device_has_active_update",
  description: "The device has another update that is scheduled or under way",
};

function condemnation(filename: string, why: string): { code: string; description: string } {
  return {
    code: "image_verification_failed",
    description: `The stored bytes of ${filename} are not those that were signed, so no device can install it. ${why}`,
  };
}

function newAssignment(
  of: { deviceUuid: string; correlationId: string; at: Date },
  ecuSerial: string,
  { to }: TargetUpdate,
): AssignmentRow {
  return {
    deviceUuid: of.deviceUuid,
    ecuSerial,
    correlationId: of.correlationId,
    filename: to.target,
    sha256: to.checksum.hash,
    length: to.targetLength,
    uri: to.uri ?? null,
    custom: (to.userDefinedCustom ?? null) as Json, // parsed from JSON and checked to be signable
    inFlight: false,
    createdAt: of.at,
  };
}

function isSameAssignment(open: AssignmentRow, correlationId: string, { to }: TargetUpdate): boolean {
  return (
    open.correlationId === correlationId &&
    open.filename === to.target &&
    open.sha256 === to.checksum.hash &&
    open.length === to.targetLength
  );
}

function refOf(from: TargetUpdate["from"]): ImageRef | null {
  return from === null || from === undefined ? null : toRef(from);
}

function toRef(target: { target: string; checksum: { hash: string }; targetLength: number }): ImageRef {
  return { filename: target.target, sha256: target.checksum.hash, length: target.targetLength };
}

function refusal({ code, description }: { code: string; description: string }): AssignmentRefusal {
  return { code, description, cause: null, errorId: null };
}

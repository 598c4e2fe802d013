/** An image as an update sees it. */
export type ImageRef = { filename: string; sha256: string; length: number };

export type EcuFacts = {
  serial: string;
  hardwareId: string;
  installed: { filename: string; sha256: string; length?: number } | null;
  assigned: { filename: string; sha256: string } | null;
};

export type DeviceFacts = {
  /** null when no certificate of this device is known here (an external registry): then the door does not decide. */
  certificateState: string | null;
  ecus: readonly EcuFacts[];
};

/** By hardware id. */
export type UpdatePlan = Readonly<Record<string, { from: ImageRef | null; to: ImageRef }>>;

export const ELIGIBILITY_CODES = [
  "device_unknown",
  "certificate_not_allowed",
  "device_not_registered",
  "device_no_compatible_hardware",
  "not_affected_by_mtu",
  "installed_target_is_update",
  "not_affected_running_assignment",
] as const;
export type EligibilityCode = (typeof ELIGIBILITY_CODES)[number];
export type EligibilityReason = { code: EligibilityCode; text: string };

export type Eligibility = {
  eligible: boolean;
  /** The ECUs that would be hit. */
  ecuSerials: string[];
  /** Why not, in the order in which it matters; for an eligible device, why some of its ECUs are left out. */
  reasons: EligibilityReason[];
};

/**
 * Will this device be hit by this update, and if not, why? The preview, the launch and the skip list all ask here; the director
 * asks `judgeEcu` for each ECU when it assigns.
 *
 * @param facts null when the fleet does not know the device
 * @see docs/contracts/director.md section 3.2, "Affected rule"
 */
export function judgeDevice(facts: DeviceFacts | null, plan: UpdatePlan): Eligibility {
  if (facts === null) return refused("device_unknown", "This fleet has no such device.");
  if (facts.certificateState !== null && facts.certificateState !== "allowed") {
    return refused(
      "certificate_not_allowed",
      `Its certificate is ${facts.certificateState}, so the door does not let it in.`,
    );
  }
  if (facts.ecus.length === 0) {
    return refused("device_not_registered", "It has not registered its ECUs yet. It does so at its first visit.");
  }
  const matching = facts.ecus.filter((ecu) => planFor(plan, ecu.hardwareId) !== undefined);
  if (matching.length === 0) {
    const has = [...new Set(facts.ecus.map((ecu) => ecu.hardwareId))].join(", ");
    return refused(
      "device_no_compatible_hardware",
      `It has ${has}; the update is for ${Object.keys(plan).join(", ")}.`,
    );
  }
  const ecuSerials: string[] = [];
  const reasons: EligibilityReason[] = [];
  for (const ecu of matching) {
    const target = planFor(plan, ecu.hardwareId);
    if (target === undefined) continue;
    const reason = judgeEcu(ecu, target);
    if (reason === null) ecuSerials.push(ecu.serial);
    else reasons.push(reason);
  }
  return { eligible: ecuSerials.length > 0, ecuSerials, reasons };
}

/** Rules 3 to 5 of the contract, for an ECU whose hardware id the update names. @returns null when the ECU is affected */
export function judgeEcu(ecu: EcuFacts, target: { from: ImageRef | null; to: ImageRef }): EligibilityReason | null {
  const { from, to } = target;
  if (from !== null && !isInstalled(ecu, from)) {
    const now = ecu.installed === null ? "has not reported what it runs" : `runs ${ecu.installed.filename}`;
    return {
      code: "not_affected_by_mtu",
      text: `Its ${ecu.hardwareId} ${now}; the update starts from ${from.filename}.`,
    };
  }
  if (isInstalled(ecu, to)) {
    return { code: "installed_target_is_update", text: `Its ${ecu.hardwareId} already runs ${to.filename}.` };
  }
  if (ecu.assigned !== null) {
    return {
      code: "not_affected_running_assignment",
      text: `Its ${ecu.hardwareId} is being updated to ${ecu.assigned.filename}. Wait for it or cancel that update.`,
    };
  }
  return null;
}

function isInstalled(ecu: EcuFacts, image: ImageRef): boolean {
  const { installed } = ecu;
  return (
    installed !== null &&
    installed.filename === image.filename &&
    installed.sha256 === image.sha256 &&
    (installed.length === undefined || installed.length === image.length)
  );
}

function planFor(plan: UpdatePlan, hardwareId: string): UpdatePlan[string] | undefined {
  return Object.hasOwn(plan, hardwareId) ? plan[hardwareId] : undefined;
}

function refused(code: EligibilityCode, text: string): Eligibility {
  return { eligible: false, ecuSerials: [], reasons: [{ code, text }] };
}

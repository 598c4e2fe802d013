import { describe, expect, it } from "vitest";
import { type DeviceFacts, type EcuFacts, judgeDevice, type UpdatePlan } from "./eligibility.ts";

const v1 = { filename: "app_1", sha256: "1".repeat(64), length: 10 };
const v2 = { filename: "app_2", sha256: "2".repeat(64), length: 20 };
const toV2: UpdatePlan = { rpi4: { from: null, to: v2 } };

function ecu(change: Partial<EcuFacts> = {}): EcuFacts {
  return { serial: "primary", hardwareId: "rpi4", installed: v1, assigned: null, ...change };
}
function device(...ecus: EcuFacts[]): DeviceFacts {
  return { certificateState: "allowed", ecus };
}
function codes(facts: DeviceFacts | null, plan: UpdatePlan = toV2): string[] {
  return judgeDevice(facts, plan).reasons.map((reason) => reason.code);
}

describe("judgeDevice", () => {
  it("hits a device whose ECU fits, has another image and no assignment", () => {
    expect(judgeDevice(device(ecu()), toV2)).toEqual({ eligible: true, ecuSerials: ["primary"], reasons: [] });
  });

  it("names a device the fleet does not know", () => {
    expect(codes(null)).toEqual(["device_unknown"]);
  });

  it.each(["revoked", "pending", "rejected", "expired"])(
    "leaves out a device whose certificate is %s",
    (certificateState) => {
      expect(codes({ ...device(ecu()), certificateState })).toEqual(["certificate_not_allowed"]);
    },
  );

  it("does not judge the certificate of a device that another registry admits", () => {
    expect(judgeDevice({ ...device(ecu()), certificateState: null }, toV2).eligible).toBe(true);
  });

  it("leaves out a device that has not registered its ECUs", () => {
    expect(codes(device())).toEqual(["device_not_registered"]);
  });

  it("leaves out other hardware, also when the plan has a member of Object.prototype's name", () => {
    expect(codes(device(ecu({ hardwareId: "imx8" })))).toEqual(["device_no_compatible_hardware"]);
    expect(codes(device(ecu({ hardwareId: "constructor" })))).toEqual(["device_no_compatible_hardware"]);
  });

  it("compares name, digest and length of the image it starts from", () => {
    const plan: UpdatePlan = { rpi4: { from: v1, to: v2 } };
    expect(codes(device(ecu()), plan)).toEqual([]);
    for (const installed of [v2, { ...v1, sha256: "3".repeat(64) }, { ...v1, length: 11 }, null]) {
      expect(codes(device(ecu({ installed })), plan)).toEqual(["not_affected_by_mtu"]);
    }
  });

  it("leaves out an ECU that runs the image already", () => {
    expect(codes(device(ecu({ installed: v2 })))).toEqual(["installed_target_is_update"]);
  });

  it("leaves out an ECU with an assignment", () => {
    expect(codes(device(ecu({ assigned: v1 })))).toEqual(["not_affected_running_assignment"]);
  });

  it("hits the ECUs that can be hit and gives the reason of the others", () => {
    const verdict = judgeDevice(device(ecu(), ecu({ serial: "second", installed: v2 })), toV2);
    expect(verdict.eligible).toBe(true);
    expect(verdict.ecuSerials).toEqual(["primary"]);
    expect(verdict.reasons.map((reason) => reason.code)).toEqual(["installed_target_is_update"]);
  });
});

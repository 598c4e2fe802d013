import { describe, expect, it } from "vitest";
import type { UpdateDeviceState } from "#lib/contracts/console/updates.ts";
import { advance, type DeviceProgress } from "./update-progress.ts";

function stateAfter(current: UpdateDeviceState, kind: DeviceProgress["kind"]): UpdateDeviceState | null {
  return advance(current, { kind })?.state ?? null;
}

describe("advance", () => {
  it("follows the path of an update", () => {
    expect(stateAfter("assigned", "seen_assignment")).toBe("assigned");
    expect(stateAfter("assigned", "downloading")).toBe("downloading");
    expect(stateAfter("downloading", "installing")).toBe("installing");
    expect(stateAfter("installing", "rebooting")).toBe("rebooting");
    expect(stateAfter("rebooting", "updated")).toBe("updated");
    expect(stateAfter("installing", "failed")).toBe("failed");
    expect(stateAfter("assigned", "cancelled")).toBe("cancelled");
  });

  it("does not go back for an event that arrives late", () => {
    expect(stateAfter("installing", "downloading")).toBeNull();
    expect(stateAfter("rebooting", "installing")).toBeNull();
    expect(stateAfter("downloading", "assigned")).toBeNull();
  });

  it.each<UpdateDeviceState>(["failed", "cancelled", "skipped", "updated"])(
    "keeps %s when events arrive afterwards",
    (state) => {
      for (const kind of ["assigned", "downloading", "installing", "rebooting", "cancelled"] as const) {
        expect(stateAfter(state, kind)).toBeNull();
      }
    },
  );

  it("believes the signed manifest over a cancellation that came too late and over an earlier failure", () => {
    expect(stateAfter("cancelled", "updated")).toBe("updated");
    expect(stateAfter("cancelled", "failed")).toBe("failed");
    expect(stateAfter("failed", "updated")).toBe("updated");
    expect(stateAfter("updated", "failed")).toBeNull();
  });

  it("says what a cancelled device may still do", () => {
    expect(advance("installing", { kind: "may_still_install" })).toMatchObject({
      state: "cancelled",
      reasonCode: "may_still_install",
    });
  });

  it("keeps the device's own code and text", () => {
    expect(advance("installing", { kind: "failed", code: "INSTALL_FAILED", text: "disk full" })).toEqual({
      state: "failed",
      reasonCode: "INSTALL_FAILED",
      reason: "disk full",
    });
  });

  it("ignores a device that merely polls", () => {
    expect(stateAfter("assigned", "idle")).toBeNull();
  });
});

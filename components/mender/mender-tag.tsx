import type { Device } from "#lib/contracts/console/devices.ts";
import { MENDER_STATUS } from "./texts.ts";

/** Marks a device that the Mender server has, with its state there. */
export function MenderTag({ mender }: { mender: NonNullable<Device["mender"]> }) {
  const { word } = MENDER_STATUS[mender.status];
  return (
    <span
      data-tip={`The Mender server has it: ${word}.`}
      className="inline-block shrink-0 rounded-sm border border-line px-[5px] text-xs leading-[16px] font-medium text-ink-2"
    >
      Mender{mender.status === "accepted" ? null : ` · ${word}`}
    </span>
  );
}

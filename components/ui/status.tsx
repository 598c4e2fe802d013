import {
  Ban,
  Check,
  CircleDashed,
  CircleMinus,
  CirclePause,
  CircleQuestionMark,
  Clock,
  Download,
  Hourglass,
  LoaderCircle,
  type LucideIcon,
  RotateCw,
  ShieldCheck,
  ShieldQuestionMark,
  ShieldX,
  X,
} from "lucide-react";
import type { ReactNode } from "react";
import type { AuditOutcome } from "#lib/contracts/console/audit.ts";
import type { CertificateState } from "#lib/contracts/console/certificates.ts";
import type { DeviceStatus } from "#lib/contracts/console/devices.ts";
import type { VerificationState } from "#lib/contracts/console/images.ts";
import type { KeyState } from "#lib/contracts/console/keys.ts";
import type { UpdateDeviceState, UpdateState } from "#lib/contracts/console/updates.ts";
import { cx } from "./cx.ts";

export type Tone = "ok" | "busy" | "warn" | "bad" | "idle";
export type StatusLook = { tone: Tone; icon: LucideIcon; word: string; hint: string; spins?: boolean };

/* Every closed list of states has its look here, once. The compiler refuses a state without one. */

export const DEVICE_STATUS: Readonly<Record<DeviceStatus, StatusLook>> = {
  failed: { tone: "bad", icon: X, word: "Failed", hint: "Its last update failed; the cause stands beside it." },
  installing: {
    tone: "busy",
    icon: LoaderCircle,
    spins: true,
    word: "Installing",
    hint: "It said that it installs an image now.",
  },
  downloading: { tone: "busy", icon: Download, word: "Downloading", hint: "It said that it downloads an image now." },
  rebooting: {
    tone: "warn",
    icon: RotateCw,
    word: "Waiting for reboot",
    hint: "Installed; the new image starts with the next reboot.",
  },
  assigned: {
    tone: "idle",
    icon: Clock,
    word: "Assigned",
    hint: "An image is assigned; the device has not taken it up yet.",
  },
  up_to_date: {
    tone: "ok",
    icon: Check,
    word: "Up to date",
    hint: "Its signed manifest says that it runs what it was assigned.",
  },
  never_seen: {
    tone: "idle",
    icon: CircleDashed,
    word: "Never seen",
    hint: "Known here, but it has not come through the door yet.",
  },
  unknown: { tone: "idle", icon: CircleQuestionMark, word: "Unknown", hint: "What it sent does not tell its state." },
};

export const CERTIFICATE_STATE: Readonly<Record<CertificateState, StatusLook>> = {
  pending: { tone: "warn", icon: Clock, word: "Waiting", hint: "Came to the door; nobody has decided about it yet." },
  allowed: { tone: "ok", icon: Check, word: "Allowed", hint: "May come through the door." },
  held: { tone: "warn", icon: CirclePause, word: "Held", hint: "Shut out for now; can be let in again." },
  superseded: {
    tone: "idle",
    icon: CircleMinus,
    word: "Superseded",
    hint: "Replaced by a newer certificate of the same device.",
  },
  revoked: { tone: "bad", icon: Ban, word: "Revoked", hint: "Taken away for good." },
  expired: { tone: "bad", icon: Hourglass, word: "Expired", hint: "Past the end of its validity." },
  rejected: { tone: "bad", icon: X, word: "Rejected", hint: "Somebody decided not to let it in." },
};

export const UPDATE_DEVICE_STATE: Readonly<Record<UpdateDeviceState, StatusLook>> = {
  assigned: { tone: "idle", icon: Clock, word: "Assigned", hint: "Waits for the device to fetch it." },
  downloading: { tone: "busy", icon: Download, word: "Downloading", hint: "The device said that it downloads." },
  installing: {
    tone: "busy",
    icon: LoaderCircle,
    spins: true,
    word: "Installing",
    hint: "The device said that it installs.",
  },
  rebooting: {
    tone: "warn",
    icon: RotateCw,
    word: "Waiting for reboot",
    hint: "Installed; waits for the device's next start.",
  },
  updated: {
    tone: "ok",
    icon: ShieldCheck,
    word: "Updated",
    hint: "Proven by a manifest that the device's own key signed.",
  },
  failed: { tone: "bad", icon: X, word: "Failed", hint: "The device reported a failure; its reason stands beside it." },
  cancelled: { tone: "idle", icon: CircleMinus, word: "Cancelled", hint: "Called off before it was installed." },
  skipped: { tone: "idle", icon: Ban, word: "Skipped", hint: "Was not eligible; the reason stands beside it." },
};

export const UPDATE_STATE: Readonly<Record<UpdateState, StatusLook>> = {
  launching: { tone: "busy", icon: LoaderCircle, spins: true, word: "Launching", hint: "Devices are being assigned." },
  running: { tone: "busy", icon: LoaderCircle, word: "Running", hint: "Some devices have not finished." },
  cancelling: {
    tone: "warn",
    icon: LoaderCircle,
    spins: true,
    word: "Cancelling",
    hint: "Assignments are being taken back.",
  },
  cancelled: {
    tone: "idle",
    icon: CircleMinus,
    word: "Cancelled",
    hint: "Called off; what was installed before stays.",
  },
  finished: { tone: "ok", icon: Check, word: "Finished", hint: "No device of it is expected to do anything more." },
};

export const VERIFICATION_STATE: Readonly<Record<VerificationState, StatusLook>> = {
  verified: {
    tone: "ok",
    icon: ShieldCheck,
    word: "Verified",
    hint: "Signatures, length and digest of the stored bytes were all checked.",
  },
  mismatch: {
    tone: "bad",
    icon: ShieldX,
    word: "Mismatch",
    hint: "The stored bytes are not what was signed. No update uses it.",
  },
  not_checked: { tone: "idle", icon: ShieldQuestionMark, word: "Not checked", hint: "Not every check has run yet." },
};

export const KEY_STATE: Readonly<Record<KeyState, StatusLook>> = {
  online: { tone: "ok", icon: Check, word: "Online", hint: "Its private key is here, sealed, and signs by itself." },
  offline: { tone: "idle", icon: CircleMinus, word: "Offline", hint: "Its private key is elsewhere: a person signs." },
  not_known: {
    tone: "warn",
    icon: CircleQuestionMark,
    word: "Not known",
    hint: "The back end does not say whether its private key is there.",
  },
};

export const AUDIT_OUTCOME: Readonly<Record<AuditOutcome, StatusLook>> = {
  done: { tone: "ok", icon: Check, word: "Done", hint: "It took effect." },
  requested: {
    tone: "busy",
    icon: Clock,
    word: "Requested",
    hint: "Asked of a back end; a later entry tells the end.",
  },
  refused: { tone: "bad", icon: X, word: "Refused", hint: "It was not done." },
  unknown: {
    tone: "warn",
    icon: CircleQuestionMark,
    word: "Unknown",
    hint: "The end is not known; it is being settled.",
  },
};

const INK: Record<Tone, string> = {
  ok: "text-ok",
  busy: "text-busy",
  warn: "text-warn",
  bad: "text-bad",
  idle: "text-idle",
};
const SOFT: Record<Tone, string> = {
  ok: "bg-ok-soft text-ok",
  busy: "bg-busy-soft text-busy",
  warn: "bg-warn-soft text-warn",
  bad: "bg-bad-soft text-bad",
  idle: "bg-idle-soft text-idle",
};

/** Icon and word; `note` is a short quiet addition such as the days left. */
export function StatusBadge({ look, note, word }: { look: StatusLook; note?: ReactNode; word?: string }) {
  return (
    <span
      data-tip={look.hint}
      className={cx("inline-flex items-center gap-1.5 align-middle font-medium whitespace-nowrap", INK[look.tone])}
    >
      <StatusIcon look={look} />
      {word ?? look.word}
      {note === undefined || note === null ? null : (
        <small className="num text-sm font-normal text-ink-3">{note}</small>
      )}
    </span>
  );
}

export function StatusIcon({ look, className = "size-3.5" }: { look: StatusLook; className?: string }) {
  const Icon = look.icon;
  return (
    <Icon aria-hidden strokeWidth={2} className={cx("shrink-0", INK[look.tone], className, look.spins && "spin")} />
  );
}

/** The same on a soft ground: for page heads. */
export function Pill({
  tone,
  icon: Icon,
  children,
  tip,
}: {
  tone: Tone;
  icon?: LucideIcon;
  children: ReactNode;
  tip?: string;
}) {
  return (
    <span
      data-tip={tip}
      className={cx(
        "inline-flex h-5 items-center gap-1.5 rounded-full px-2 text-sm font-strong whitespace-nowrap",
        SOFT[tone],
      )}
    >
      {Icon === undefined ? null : <Icon aria-hidden strokeWidth={2.2} className="size-3" />}
      <span>{children}</span>
    </span>
  );
}

import { Check, CircleAlert, CircleQuestionMark, Clock, type LucideIcon, X } from "lucide-react";
import { Callout } from "#components/ui/callout.tsx";
import { cx } from "#components/ui/cx.ts";
import { DEVICE_STATUS, type Tone } from "#components/ui/status.tsx";
import { BriefTime } from "#components/ui/time.tsx";
import type { Device, Why } from "#lib/contracts/console/devices.ts";

type Reason = Why["reasons"][number];

const NAMES: Record<Reason["check"], string> = {
  certificate: "Certificate",
  contact: "Contact",
  registration: "Registration",
  assignment: "Assignment",
  metadata: "Metadata",
  download: "Download",
  install: "Install",
};

const RESULTS: Record<Reason["result"], { icon: LucideIcon; ink: string; word: string }> = {
  ok: { icon: Check, ink: "text-ok", word: "fine" },
  waiting: { icon: Clock, ink: "text-idle", word: "waiting" },
  bad: { icon: X, ink: "text-bad", word: "stops here" },
  unknown: { icon: CircleQuestionMark, ink: "text-idle", word: "not known" },
};

/** The state in one sentence, with the checks behind it in the order of the path a device walks. */
export function WhyPanel({ device }: { device: Device }) {
  const look = DEVICE_STATUS[device.status];
  const stopped = device.why.reasons.some(({ result }) => result === "bad");
  const tone: Tone = stopped ? "bad" : look.tone === "bad" ? "bad" : look.tone === "ok" ? "ok" : look.tone;
  return (
    <section aria-label="Why it is in this state">
      <Callout tone={tone} icon={stopped && look.tone !== "bad" ? CircleAlert : look.icon} title={device.why.summary}>
        <ul className="mt-2">
          {device.why.reasons.map((reason) => (
            <CheckLine key={reason.check} reason={reason} />
          ))}
        </ul>
      </Callout>
    </section>
  );
}

function CheckLine({ reason }: { reason: Reason }) {
  const { icon: Icon, ink, word } = RESULTS[reason.result];
  return (
    <li className="grid grid-cols-[20px_minmax(0,1fr)] gap-x-2 border-b border-line py-[7px] last:border-0 last:pb-0 sm:grid-cols-[20px_112px_minmax(0,1fr)_auto]">
      <Icon aria-hidden strokeWidth={2} className={cx("mt-[3px] size-3.5", ink)} />
      <span className="font-strong text-ink">
        {NAMES[reason.check]}
        <span className="sr-only">: {word}</span>
      </span>
      <span className="wrap-anywhere max-sm:col-start-2">{reason.text}</span>
      {reason.at === null ? null : (
        <span className="num text-sm leading-5 text-ink-3 max-sm:hidden">
          <BriefTime at={reason.at} />
        </span>
      )}
    </li>
  );
}

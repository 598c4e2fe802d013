import type { LucideIcon } from "lucide-react";
import type { ReactNode } from "react";
import { cx } from "./cx.ts";
import type { Tone } from "./status.tsx";

const TONES: Record<Tone, { box: string; icon: string }> = {
  bad: { box: "border-bad/30 bg-bad-soft/55", icon: "text-bad" },
  warn: { box: "border-warn/30 bg-warn-soft/55", icon: "text-warn" },
  ok: { box: "border-line bg-surface", icon: "text-ok" },
  busy: { box: "border-busy/25 bg-busy-soft/45", icon: "text-busy" },
  idle: { box: "border-line bg-surface", icon: "text-ink-3" },
};

type CalloutProps = {
  tone: Tone;
  icon: LucideIcon;
  title: ReactNode;
  children?: ReactNode;
  action?: ReactNode;
  role?: "alert" | "status";
};

/** A sentence that should be read, with what stands behind it. */
export function Callout({ tone, icon: Icon, title, children, action, role }: CalloutProps) {
  const { box, icon } = TONES[tone];
  return (
    <div role={role} className={cx("flex gap-3 rounded-lg border px-3.5 py-3 max-sm:flex-wrap", box)}>
      <Icon aria-hidden className={cx("mt-0.5 size-4 shrink-0", icon)} />
      <div className="min-w-0 flex-1 wrap-anywhere max-sm:basis-[calc(100%-40px)]">
        <div className="font-strong">{title}</div>
        {children === undefined ? null : <div className="mt-0.5 text-ink-2">{children}</div>}
      </div>
      {action === undefined ? null : <div className="shrink-0">{action}</div>}
    </div>
  );
}

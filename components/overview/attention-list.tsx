import {
  Bell,
  ChevronRight,
  CircleX,
  DoorClosed,
  Hourglass,
  KeyRound,
  type LucideIcon,
  ServerCrash,
  ShieldAlert,
  ShieldQuestionMark,
  ShieldX,
  TimerOff,
} from "lucide-react";
import Link from "next/link";
import { cx } from "#components/ui/cx.ts";
import { RelativeTime } from "#components/ui/time.tsx";
import type { Attention } from "#lib/contracts/console/overview.ts";

const ICONS: Record<Attention["kind"], LucideIcon> = {
  pending: ShieldQuestionMark,
  refused: DoorClosed,
  unusual_refusals: DoorClosed,
  failing: CircleX,
  expiring: Hourglass,
  unverified: ShieldX,
  metadata: KeyRound,
  backend_down: ServerCrash,
  notice: Bell,
  header_mode: ShieldAlert,
  revocation: TimerOff,
};

/** Each line leads to exactly the rows it counts. */
export function AttentionList({ lines }: { lines: readonly Attention[] }) {
  return (
    <ul>
      {lines.map(({ kind, tone, title, detail, href, since }) => {
        const Icon = ICONS[kind];
        const body = (
          <>
            <Icon aria-hidden className={cx("mt-0.5 size-4", tone === "bad" ? "text-bad" : "text-warn")} />
            <span className="min-w-0 wrap-anywhere">
              <span className="font-strong">{title}</span>
              {detail === null ? null : <span className="text-ink-2"> · {detail}</span>}
            </span>
            <span className="num text-sm leading-5 text-ink-3">
              {since === null ? null : <RelativeTime at={since} bare />}
            </span>
          </>
        );
        return (
          <li key={`${kind} ${title}`} className="border-b border-line last:border-0">
            {href === "/" ? (
              <div className={ROW}>{body}</div>
            ) : (
              <Link href={href} className={cx(ROW, "hover:bg-hover")}>
                {body}
                <ChevronRight aria-hidden className="mt-0.5 size-4 text-ink-3" />
              </Link>
            )}
          </li>
        );
      })}
    </ul>
  );
}

const ROW = "grid grid-cols-[20px_minmax(0,1fr)_auto_16px] gap-2.5 px-3.5 py-2.5 outline-offset-[-2px]";

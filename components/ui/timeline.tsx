import type { LucideIcon } from "lucide-react";
import type { ReactNode } from "react";
import { BriefTime } from "./time.tsx";

export type TimelineEntry = { id: string; at: string; icon: LucideIcon; text: ReactNode; detail?: ReactNode };

/** What happened, newest first. */
export function Timeline({ entries }: { entries: readonly TimelineEntry[] }) {
  return (
    <ol className="grid">
      {entries.map(({ id, at, icon: Icon, text, detail }) => (
        <li key={id} className="grid grid-cols-[56px_16px_minmax(0,1fr)] gap-2 py-1.5">
          <span className="num text-sm leading-5 text-ink-3">
            <BriefTime at={at} />
          </span>
          <Icon aria-hidden className="mt-[3px] size-3.5 text-ink-3" />
          <div className="min-w-0 wrap-anywhere">
            {text}
            {detail === undefined || detail === null ? null : <div className="text-sm text-ink-3">{detail}</div>}
          </div>
        </li>
      ))}
    </ol>
  );
}

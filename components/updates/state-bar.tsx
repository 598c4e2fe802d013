import Link from "next/link";
import { cx } from "#components/ui/cx.ts";
import { UPDATE_DEVICE_STATE } from "#components/ui/status.tsx";
import { count } from "#lib/client/format.ts";
import type { UpdateCounts } from "#lib/contracts/console/updates.ts";
import { fillOf, present } from "./counts.ts";

/** One bar whose parts sum to the whole. The legend beside or under it carries the words, so the bar itself is only a picture. */
export function StateBar({ counts, className }: { counts: UpdateCounts; className?: string }) {
  const label = present(counts)
    .map((state) => `${counts[state]} ${UPDATE_DEVICE_STATE[state].word.toLowerCase()}`)
    .join(", ");
  return (
    <div role="img" aria-label={label} className={cx("flex gap-0.5 overflow-hidden rounded-full", className ?? "h-2")}>
      {present(counts).map((state) => (
        <span key={state} className={cx("block min-w-[3px]", fillOf(state))} style={{ flexGrow: counts[state] }} />
      ))}
    </div>
  );
}

/** Every count is the number of rows that a click on it shows. */
export function StateLegend({
  counts,
  current,
  hrefOf,
}: {
  counts: UpdateCounts;
  current: string;
  hrefOf: (state: string) => string;
}) {
  return (
    <ul className="mt-2.5 flex flex-wrap gap-x-5 gap-y-1.5">
      {present(counts).map((state) => (
        <li key={state}>
          <Link
            href={hrefOf(current === state ? "" : state)}
            scroll={false}
            aria-current={current === state ? "true" : undefined}
            className="inline-flex min-h-6 items-center gap-1.5 rounded-sm hover:underline aria-[current=true]:underline"
          >
            <span aria-hidden className={cx("size-2 rounded-[2px]", fillOf(state))} />
            <span className="num font-semibold">{count(counts[state])}</span>
            <span data-tip={UPDATE_DEVICE_STATE[state].hint}>{UPDATE_DEVICE_STATE[state].word.toLowerCase()}</span>
          </Link>
        </li>
      ))}
    </ul>
  );
}

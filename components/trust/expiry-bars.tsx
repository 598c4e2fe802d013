import { cx } from "#components/ui/cx.ts";
import type { ExpiryBucket, SeenClass } from "#lib/contracts/console/posture.ts";

/** How a device that was last seen so long ago is called and drawn: the longer ago, the more it needs a person. */
export const SEEN: Readonly<Record<SeenClass, { head: string; fill: string }>> = {
  day: { head: "< 1 day", fill: "bg-ok" },
  week: { head: "< 7 days", fill: "bg-ok/60" },
  month: { head: "< 30 days", fill: "bg-warn/50" },
  silent: { head: "≥ 30 days", fill: "bg-bad" },
  never: { head: "Never", fill: "bg-ink-3" },
};

/** From the bottom up. */
const STACK = ["day", "week", "month", "silent", "never"] as const;

/** The height of each bar is the number that ends then; the table under it has the numbers. */
export function ExpiryBars({ buckets, label }: { buckets: readonly ExpiryBucket[]; label: string }) {
  const most = Math.max(1, ...buckets.map(({ total }) => total));
  return (
    <figure className="rounded-lg border border-line bg-surface px-3.5 pt-3.5 pb-3">
      <div role="img" aria-label={label} className="flex h-36 items-end gap-1 border-b border-line max-sm:gap-0.5">
        {buckets.map((bucket) => (
          <div
            key={bucket.from}
            className="flex min-w-0 flex-1 flex-col-reverse overflow-hidden rounded-t-sm"
            style={{ height: `${(100 * bucket.total) / most}%` }}
          >
            {STACK.map((seen) => (
              <div key={seen} className={SEEN[seen].fill} style={{ flexGrow: bucket.seen[seen], flexBasis: 0 }} />
            ))}
          </div>
        ))}
      </div>
      <figcaption className="mt-2.5 flex flex-wrap gap-x-4 gap-y-1 text-sm text-ink-2">
        <span>Last seen</span>
        {STACK.map((seen) => (
          <span key={seen} className="inline-flex items-center gap-1.5">
            <span aria-hidden className={cx("size-2.5 rounded-sm", SEEN[seen].fill)} />
            {SEEN[seen].head}
          </span>
        ))}
      </figcaption>
    </figure>
  );
}

import { Check, TriangleAlert } from "lucide-react";
import { cx } from "#components/ui/cx.ts";

/** The named checks of a fresh install, each green or with its mend. */
export function SetupChecks({ checks }: { checks: readonly { name: string; ok: boolean; text: string }[] }) {
  if (checks.length === 0) return null;
  return (
    <section aria-label="Checks of this install" className="mt-8 border-t border-line pt-4">
      <h2 className="mb-1.5">This install</h2>
      <ul>
        {checks.map(({ name, ok, text }) => {
          const Icon = ok ? Check : TriangleAlert;
          return (
            <li key={name} className="grid grid-cols-[20px_88px_minmax(0,1fr)] gap-x-1.5 py-1">
              <Icon aria-hidden className={cx("mt-[3px] size-3.5", ok ? "text-ok" : "text-bad")} />
              <span className="font-strong">{name}</span>
              <span className="text-ink-2 wrap-anywhere">
                <span className="sr-only">{ok ? "fine: " : "needs attention: "}</span>
                {text}
              </span>
            </li>
          );
        })}
      </ul>
    </section>
  );
}

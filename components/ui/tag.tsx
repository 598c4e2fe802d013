import type { ReactNode } from "react";
import { cx } from "./cx.ts";

/** Hardware ids and the like: short, mono, quiet. */
export function Tag({ children, className }: { children: ReactNode; className?: string }) {
  return (
    <span
      className={cx(
        "mono inline-block max-w-full truncate rounded-sm border border-line px-[5px] align-middle leading-[18px] text-ink-2",
        className,
      )}
    >
      {children}
    </span>
  );
}

/** Marks what is simulated, everywhere it shows. */
export function SimulatedTag() {
  return (
    <span
      data-tip="Speaks the real protocol through the real door, but no hardware stands behind it."
      className="inline-block rounded-sm bg-accent-soft px-[5px] text-xs leading-[18px] font-medium text-accent-ink"
    >
      Simulated
    </span>
  );
}

export function Kbd({ children }: { children: ReactNode }) {
  return (
    <kbd className="rounded-sm border border-line bg-sunken px-1 font-sans text-xs font-medium text-ink-3">
      {children}
    </kbd>
  );
}

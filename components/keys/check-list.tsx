"use client";

import { Check, CircleDashed, type LucideIcon, X } from "lucide-react";
import { cx } from "#components/ui/cx.ts";
import type { KeyCheck } from "#lib/contracts/console/keys.ts";

const LOOKS: Readonly<Record<KeyCheck["state"], { icon: LucideIcon; ink: string; word: string }>> = {
  passed: { icon: Check, ink: "text-ok", word: "passed" },
  failed: { icon: X, ink: "text-bad", word: "failed" },
  not_reached: { icon: CircleDashed, ink: "text-ink-3", word: "not reached" },
};

/** What was tried, step by step, and what follows of it. */
export function CheckList({ checks, consequences }: { checks: readonly KeyCheck[]; consequences: readonly string[] }) {
  return (
    <div className="grid gap-3">
      <ol className="grid gap-2" aria-label="Checks">
        {checks.map(({ name, state, detail }, index) => {
          const { icon: Icon, ink, word } = LOOKS[state];
          return (
            // biome-ignore lint/suspicious/noArrayIndexKey: one answer's checks keep their order
            <li key={index} className="grid grid-cols-[18px_minmax(0,1fr)] gap-2">
              <Icon aria-hidden strokeWidth={2.2} className={cx("mt-0.5 size-4", ink)} />
              <span className="min-w-0 wrap-anywhere">
                <span className="font-medium">{name}</span> <span className={cx("text-sm", ink)}>{word}</span>
                <span className="block text-sm text-ink-2">{detail}</span>
              </span>
            </li>
          );
        })}
      </ol>
      {consequences.length === 0 ? null : (
        <ul className="grid list-disc gap-1 pl-5 text-ink-2" aria-label="What follows">
          {consequences.map((text) => (
            <li key={text}>{text}</li>
          ))}
        </ul>
      )}
    </div>
  );
}

"use client";

import Link from "next/link";
import type { ReactNode } from "react";
import { count as formatCount } from "#lib/client/format.ts";
import { cx } from "./cx.ts";

/** `onOpen` opens it without asking the server for the page again; the link stays for what links are for. */
export type Tab = { href: string; label: ReactNode; current: boolean; count?: number | undefined; onOpen?: () => void };

/** Tabs are links: the URL says which one is open, so it can be sent to somebody and survives a reload. */
export function Tabs({ label, tabs }: { label: string; tabs: readonly Tab[] }) {
  return (
    <nav aria-label={label} className="mb-4 flex gap-5 overflow-x-auto border-b border-line">
      {tabs.map((tab) => (
        <Link
          key={tab.href}
          ref={tab.current ? bringIntoSight : null}
          href={tab.href}
          scroll={false}
          {...(tab.onOpen && {
            onNavigate: (event: { preventDefault: () => void }) => {
              event.preventDefault();
              tab.onOpen?.();
            },
          })}
          aria-current={tab.current ? "page" : undefined}
          className={cx(
            "-mb-px border-b-2 pt-2 pb-[9px] font-medium whitespace-nowrap outline-offset-[-2px]",
            tab.current ? "border-ink text-ink" : "border-transparent text-ink-2 hover:text-ink",
          )}
        >
          {tab.label}
          {tab.count === undefined ? null : (
            <span className="num ml-1 font-normal text-ink-3">{formatCount(tab.count)}</span>
          )}
        </Link>
      ))}
    </nav>
  );
}

/** On a phone only some fit: the open one is among them. The page itself stays where it is. */
function bringIntoSight(tab: HTMLElement | null): void {
  const strip = tab?.parentElement;
  if (tab === null || !strip) return;
  strip.scrollLeft = tab.offsetLeft - strip.offsetLeft - (strip.clientWidth - tab.offsetWidth) / 2;
}

"use client";

import { PanelLeft } from "lucide-react";
import Link from "next/link";
import { IconButton } from "#components/ui/button.tsx";
import { setPreference } from "#lib/client/preferences.ts";
import { BrandMark } from "./brand.tsx";
import { NavLinks } from "./nav-links.tsx";

/** The left rail; narrow or wide as the person last chose. Phones have the drawer instead. */
export function Rail({ version }: { version: string }) {
  const toggle = () => setPreference("rail", document.documentElement.dataset.rail === "narrow" ? "wide" : "narrow");
  return (
    <nav
      aria-label="Main"
      className="sticky top-0 flex h-dvh w-[212px] shrink-0 flex-col gap-0.5 overflow-y-auto border-r border-line bg-sunken px-2 py-3 in-data-[rail=narrow]:w-[52px] max-sm:hidden"
    >
      <Link
        href="/overview"
        className="mb-3 flex h-7 items-center gap-2 rounded-md px-2 font-[650] tracking-[-0.01em] in-data-[rail=narrow]:justify-center in-data-[rail=narrow]:px-0"
      >
        <BrandMark />
        <span className="in-data-[rail=narrow]:sr-only">Gatehouse</span>
      </Link>
      <NavLinks collapsible />
      <div className="mt-auto flex items-center gap-1 pt-3 in-data-[rail=narrow]:flex-col">
        <span className="num flex-1 pl-2 text-sm text-ink-3 in-data-[rail=narrow]:sr-only">v{version}</span>
        <IconButton label="Narrow or widen the menu" size="sm" icon={<PanelLeft aria-hidden />} onClick={toggle} />
      </div>
    </nav>
  );
}

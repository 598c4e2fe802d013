"use client";

import { Menu as MenuIcon, Search } from "lucide-react";
import dynamic from "next/dynamic";
import { useEffect, useState } from "react";
import { IconButton } from "#components/ui/button.tsx";
import { Kbd } from "#components/ui/tag.tsx";
import { LiveBadge } from "./live-badge.tsx";
import { useMe } from "./me.tsx";
import { NoticeBell } from "./notice-bell.tsx";
import { UserMenu } from "./user-menu.tsx";

const CommandMenu = dynamic(() => import("./command-menu.tsx").then((module) => module.CommandMenu));
const Drawer = dynamic(() => import("./drawer.tsx").then((module) => module.Drawer));

/** Environment, search, notices, live badge, user. What opens from here is loaded when it is first opened. */
export function TopBar() {
  const { namespace } = useMe();
  const [open, setOpen] = useState<"none" | "find" | "drawer">("none");
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if (event.key.toLowerCase() !== "k" || !(event.metaKey || event.ctrlKey)) return;
      event.preventDefault();
      setOpen((now) => (now === "find" ? "none" : "find"));
    };
    document.addEventListener("keydown", onKey);
    return () => document.removeEventListener("keydown", onKey);
  }, []);
  const close = () => setOpen("none");
  return (
    <header className="sticky top-0 z-10 flex h-12 items-center gap-3 border-b border-line bg-bg px-5 max-sm:px-3">
      <IconButton
        label="Menu"
        className="sm:hidden"
        icon={<MenuIcon aria-hidden />}
        onClick={() => setOpen("drawer")}
      />
      <span data-tip="The environment whose devices, images and updates you see." className="truncate font-strong">
        {namespace}
      </span>
      <span className="flex-1" />
      <button
        type="button"
        onClick={() => setOpen("find")}
        className="flex h-[30px] w-80 items-center gap-2 rounded-md border border-line bg-surface px-2.5 text-ink-3 hover:border-line-strong max-md:hidden"
      >
        <Search aria-hidden className="size-4" />
        Find or do anything
        <span className="ml-auto">
          <Kbd>⌘K</Kbd>
        </span>
      </button>
      <IconButton label="Find" className="md:hidden" icon={<Search aria-hidden />} onClick={() => setOpen("find")} />
      <NoticeBell />
      <LiveBadge />
      <UserMenu />
      {open === "find" ? <CommandMenu onClose={close} /> : null}
      {open === "drawer" ? <Drawer onClose={close} /> : null}
    </header>
  );
}

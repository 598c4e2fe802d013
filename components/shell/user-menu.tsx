"use client";

import { LogOut, Monitor, Moon, Sun } from "lucide-react";
import { useState } from "react";
import { Menu, MenuItem, MenuLine, MenuRadio, type MenuTriggerProps } from "#components/ui/menu.tsx";
import { toast } from "#components/ui/toast.tsx";
import { api } from "#lib/client/api.ts";
import { parsePreference, setPreference } from "#lib/client/preferences.ts";
import { ApiProblem } from "#lib/client/problem.ts";
import { signOut } from "#lib/client/sign-in.ts";
import { useMe } from "./me.tsx";

const THEMES = [
  { value: "system", label: "Theme of this computer", icon: <Monitor aria-hidden /> },
  { value: "light", label: "Light", icon: <Sun aria-hidden /> },
  { value: "dark", label: "Dark", icon: <Moon aria-hidden /> },
] as const;

/** Who is signed in, how the console looks, and the ways out. */
export function UserMenu() {
  const me = useMe();
  const [chosen, setTheme] = useState<string | null>(null);
  const theme =
    chosen ??
    (typeof document === "undefined" ? "system" : parsePreference("theme", document.documentElement.dataset.theme));
  const chooseTheme = (value: string) => {
    const next = parsePreference("theme", value);
    setPreference("theme", next);
    setTheme(next);
  };
  return (
    <Menu trigger={(props) => <Avatar {...props} />}>
      <div className="px-2 py-1.5">
        <div className="truncate font-medium">{me.name}</div>
        <div className="truncate text-sm text-ink-3">
          {me.email === null ? "" : `${me.email} · `}
          {me.role}
        </div>
      </div>
      <MenuLine />
      <MenuRadio label="Theme" value={theme} onValueChange={chooseTheme} options={THEMES} />
      <MenuLine />
      <MenuItem onClick={() => void leave(signOut)}>
        <LogOut aria-hidden />
        Sign out
      </MenuItem>
      <MenuItem onClick={() => void leave(api.signOutEverywhere)}>
        <LogOut aria-hidden />
        Sign out everywhere
      </MenuItem>
    </Menu>
  );
}

async function leave(out: () => Promise<unknown>) {
  try {
    await out();
    window.location.assign("/sign-in");
  } catch (error) {
    toast.failed("Not signed out", error instanceof ApiProblem ? error.message : "The console does not answer.");
  }
}

function Avatar(props: MenuTriggerProps) {
  const { name } = useMe();
  return (
    <button
      type="button"
      {...props}
      aria-label={`${name}: theme and sign-out`}
      className="size-[26px] shrink-0 rounded-full bg-accent-soft text-center text-xs leading-[26px] font-semibold text-accent-ink"
    >
      {initials(name)}
    </button>
  );
}

function initials(name: string): string {
  const words = name.split(/[\s@._-]+/).filter((word) => word !== "");
  return words
    .slice(0, 2)
    .map((word) => [...word][0]?.toUpperCase() ?? "")
    .join("");
}

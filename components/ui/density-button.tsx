"use client";

import { Rows3 } from "lucide-react";
import { setPreference } from "#lib/client/preferences.ts";
import { IconButton } from "./button.tsx";

/** Rows close together or apart, for every table, on this browser. */
export function DensityButton() {
  return (
    <IconButton
      label="Rows closer together or apart"
      look="plain"
      className="h-[34px] w-[34px] max-sm:hidden"
      icon={<Rows3 aria-hidden />}
      onClick={() => {
        const compact = document.documentElement.dataset.density === "compact";
        setPreference("density", compact ? "normal" : "compact");
      }}
    />
  );
}

"use client";

import { Check, Copy } from "lucide-react";
import { IconButton } from "./button.tsx";
import { useCopy } from "./digest.tsx";

/** A command to copy whole. */
export function CodeLine({ label, code }: { label: string; code: string }) {
  const { copied, copy } = useCopy();
  return (
    <div className="flex items-start gap-1 rounded-md border border-line bg-sunken py-1 pr-1 pl-2.5">
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls sideways, so the keyboard has to reach it */}
      <code
        role="group"
        aria-label={label}
        tabIndex={0}
        className="mono flex-1 overflow-x-auto py-[3px] whitespace-pre"
      >
        {code}
      </code>
      <IconButton
        label={copied ? "Copied" : "Copy"}
        size="sm"
        icon={copied ? <Check aria-hidden className="text-ok" /> : <Copy aria-hidden />}
        onClick={() => copy(code)}
      />
    </div>
  );
}

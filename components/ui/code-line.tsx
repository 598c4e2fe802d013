"use client";

import { Check, Copy } from "lucide-react";
import { IconButton } from "./button.tsx";
import { useCopy } from "./digest.tsx";

/** A command to copy whole. */
export function CodeLine({ label, code }: { label: string; code: string }) {
  const { copied, copy } = useCopy();
  return (
    <div className="flex items-start gap-1 rounded-md border border-line bg-sunken py-1 pr-1 pl-2.5">
      <code className="mono min-w-0 flex-1 py-[3px] wrap-anywhere">
        <span className="sr-only">{label}: </span>
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

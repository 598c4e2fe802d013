"use client";

import { Check, Copy } from "lucide-react";
import { useEffect, useState } from "react";
import { colonHex, shortHex } from "#lib/client/format.ts";
import { toast } from "./toast.tsx";

/** A digest, serial or id: short, whole on hover, copied by a click. `label` says what it is to those who can't see where it stands. */
export function Digest({ value, label, short }: { value: string; label: string; short?: string }) {
  return <Copyable value={value} text={short ?? shortHex(value)} full={value} label={label} />;
}

/** A certificate's SHA-256: whole with colons on hover; copied as the plain hex that the API takes. */
export function Fingerprint({ value }: { value: string }) {
  return <Copyable value={value} text={shortHex(value)} full={colonHex(value)} label="fingerprint" />;
}

export function useCopy(): { copied: boolean; copy: (text: string) => void } {
  const [copied, setCopied] = useState(false);
  useEffect(() => {
    if (!copied) return;
    const timer = setTimeout(() => setCopied(false), 1_500);
    return () => clearTimeout(timer);
  }, [copied]);
  const copy = (text: string) => {
    writeClipboard(text).then(
      () => setCopied(true),
      () => toast.failed("The browser did not allow copying", "Select the text and copy it by hand."),
    );
  };
  return { copied, copy };
}

/** The clipboard API exists in secure contexts only; a console on plain HTTP in a plant network still copies. */
async function writeClipboard(text: string): Promise<void> {
  if (navigator.clipboard !== undefined) return navigator.clipboard.writeText(text);
  const area = document.createElement("textarea");
  area.value = text;
  area.className = "fixed opacity-0";
  document.body.append(area);
  area.select();
  const copied = document.execCommand("copy");
  area.remove();
  if (!copied) throw new Error("copying was refused");
}

function Copyable({ value, text, full, label }: { value: string; text: string; full: string; label: string }) {
  const { copied, copy } = useCopy();
  return (
    <button
      type="button"
      data-tip={full}
      aria-label={`Copy ${label} ${text}`}
      onClick={() => copy(value)}
      className="group/copy mono inline-flex min-h-6 max-w-full items-center gap-1 rounded-sm text-left align-middle whitespace-nowrap hover:text-accent-ink"
    >
      <span className="truncate">{text}</span>
      {copied ? (
        <Check aria-hidden className="size-3 shrink-0 text-ok" />
      ) : (
        <Copy
          aria-hidden
          className="size-3 shrink-0 text-ink-3 opacity-0 group-hover/copy:opacity-100 group-focus-visible/copy:opacity-100"
        />
      )}
      <span role="status" className="sr-only">
        {copied ? "Copied" : ""}
      </span>
    </button>
  );
}

"use client";

import { Search, X } from "lucide-react";
import { useEffect, useRef, useState } from "react";

const SETTLE_MS = 250;

type SearchFieldProps = { label: string; placeholder: string; value: string; onSearch: (text: string) => void };

/** Searches while one types, a moment after the last key. `/` jumps to it from anywhere on the page. */
export function SearchField({ label, placeholder, value, onSearch }: SearchFieldProps) {
  const [text, setText] = useState(value);
  const [shown, setShown] = useState(value);
  const input = useRef<HTMLInputElement>(null);
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  if (shown !== value) {
    // The value changed from outside: back button, a removed filter.
    setShown(value);
    setText(value);
  }
  useEffect(() => () => clearTimeout(timer.current), []);
  useSlash(() => input.current?.focus());
  const search = (next: string) => {
    clearTimeout(timer.current);
    setShown(next);
    onSearch(next);
  };
  const type = (next: string) => {
    setText(next);
    clearTimeout(timer.current);
    timer.current = setTimeout(() => search(next.trim()), SETTLE_MS);
  };
  return (
    <search className="flex h-[34px] min-w-0 flex-1 items-center gap-2 rounded-md border border-control/70 bg-surface px-2.5 focus-within:border-accent focus-within:ring-[3px] focus-within:ring-accent-soft max-sm:h-10">
      <Search aria-hidden className="size-4 shrink-0 text-ink-3" />
      <input
        ref={input}
        type="text"
        inputMode="search"
        enterKeyHint="search"
        autoComplete="off"
        spellCheck={false}
        maxLength={200}
        aria-label={label}
        placeholder={placeholder}
        value={text}
        onChange={(event) => type(event.target.value)}
        onKeyDown={(event) => {
          if (event.key !== "Enter") return;
          // In a dialog's form it must not send that.
          event.preventDefault();
          search(text.trim());
        }}
        className="h-full min-w-0 flex-1 bg-transparent outline-none max-sm:text-[16px]"
      />
      {text === "" ? null : (
        <button
          type="button"
          aria-label="Clear the search"
          className="grid size-6 place-items-center rounded-sm text-ink-3 hover:text-ink"
          onClick={() => {
            setText("");
            search("");
            input.current?.focus();
          }}
        >
          <X aria-hidden className="size-3.5" />
        </button>
      )}
    </search>
  );
}

function useSlash(focus: () => void) {
  const latest = useRef(focus);
  latest.current = focus;
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      const at = event.target;
      if (event.key !== "/" || event.metaKey || event.ctrlKey || event.altKey) return;
      if (at instanceof HTMLElement && (at.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(at.tagName))) return;
      event.preventDefault();
      latest.current();
    };
    document.addEventListener("keydown", onKey);
    return () => document.removeEventListener("keydown", onKey);
  }, []);
}

"use client";

import { CircleAlert, CircleCheck, X } from "lucide-react";
import { useSyncExternalStore } from "react";
import { IconButton } from "./button.tsx";

type Toast = {
  id: number;
  tone: "ok" | "bad";
  text: string;
  detail?: string;
  action?: { label: string; run: () => void };
};

const SHOWN_MS = 6_000;
const NONE: readonly Toast[] = [];
let toasts: readonly Toast[] = NONE;
let lastId = 0;
const listeners = new Set<() => void>();

/** Says what happened, in passing. What went wrong stays until it is dismissed; the rest goes by itself. */
export const toast = {
  done: (text: string, more: Pick<Toast, "detail" | "action"> = {}) => add({ tone: "ok", text, ...more }),
  failed: (text: string, detail?: string) => add({ tone: "bad", text, ...(detail === undefined ? {} : { detail }) }),
};

function add(entry: Omit<Toast, "id">) {
  lastId += 1;
  const id = lastId;
  change([...toasts.slice(-3), { ...entry, id }]);
  if (entry.tone === "ok") setTimeout(() => dismiss(id), entry.action === undefined ? SHOWN_MS : SHOWN_MS * 2);
}

function dismiss(id: number) {
  change(toasts.filter((entry) => entry.id !== id));
}

function change(next: readonly Toast[]) {
  toasts = next;
  for (const listener of listeners) listener();
}

function subscribe(listener: () => void) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function ToastHost() {
  const shown = useSyncExternalStore(
    subscribe,
    () => toasts,
    () => NONE,
  );
  return (
    <section
      aria-label="Notifications"
      aria-live="polite"
      className="pointer-events-none fixed right-4 bottom-4 left-4 z-[90] flex flex-col items-end gap-2"
    >
      {shown.map((entry) => (
        <div
          key={entry.id}
          className="pointer-events-auto flex w-full max-w-96 animate-[float-in_.15s_ease-out] items-start gap-2.5 rounded-lg border border-line-strong bg-raised py-2.5 pr-2 pl-3.5 shadow-float"
        >
          {entry.tone === "ok" ? (
            <CircleCheck aria-hidden className="mt-0.5 size-4 shrink-0 text-ok" />
          ) : (
            <CircleAlert aria-hidden className="mt-0.5 size-4 shrink-0 text-bad" />
          )}
          <div className="min-w-0 flex-1 wrap-anywhere">
            <div className="font-medium">{entry.text}</div>
            {entry.detail === undefined ? null : <div className="text-sm text-ink-2">{entry.detail}</div>}
            {entry.action === undefined ? null : (
              <button type="button" className="link text-sm font-medium" onClick={entry.action.run}>
                {entry.action.label}
              </button>
            )}
          </div>
          <IconButton label="Dismiss" size="sm" icon={<X aria-hidden />} onClick={() => dismiss(entry.id)} />
        </div>
      ))}
    </section>
  );
}

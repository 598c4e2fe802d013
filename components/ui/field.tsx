"use client";

import { type ComponentProps, createContext, type ReactNode, useContext, useId } from "react";
import { cx } from "./cx.ts";

const FieldIds = createContext<{ control: string; describedBy: string | undefined; invalid: boolean } | null>(null);

type FieldProps = {
  label: ReactNode;
  hint?: ReactNode;
  error?: string | undefined;
  optional?: boolean;
  children: ReactNode;
};

/** Label, control, hint and error, tied together for everybody. */
export function Field({ label, hint, error, optional = false, children }: FieldProps) {
  const id = useId();
  const shownUnder = error !== undefined || hint !== undefined;
  return (
    <FieldIds
      value={{ control: id, describedBy: shownUnder ? `${id}-under` : undefined, invalid: error !== undefined }}
    >
      <div className="grid content-start gap-1">
        <label htmlFor={id} className="font-medium">
          {label}
          {optional ? <span className="font-normal text-ink-3"> (optional)</span> : null}
        </label>
        {children}
        {shownUnder ? (
          <div id={`${id}-under`} className={cx("text-sm", error === undefined ? "text-ink-3" : "text-bad")}>
            {error ?? hint}
          </div>
        ) : null}
      </div>
    </FieldIds>
  );
}

function useField() {
  const field = useContext(FieldIds);
  return field === null
    ? {}
    : { id: field.control, "aria-describedby": field.describedBy, "aria-invalid": field.invalid || undefined };
}

const CONTROL =
  "w-full rounded-md border border-control/70 bg-surface px-2.5 text-base text-ink hover:border-control focus-visible:border-accent focus-visible:outline-none focus-visible:ring-[3px] focus-visible:ring-accent-soft aria-invalid:border-bad disabled:opacity-55 max-sm:text-[16px]";

export function Input({ className, ...rest }: ComponentProps<"input">) {
  return <input {...useField()} {...rest} className={cx(CONTROL, "h-8 max-sm:h-10", className)} />;
}

export function Textarea({ className, ...rest }: ComponentProps<"textarea">) {
  return <textarea rows={3} {...useField()} {...rest} className={cx(CONTROL, "py-1.5", className)} />;
}

/** The browser's own list: best on phones, by keyboard, and in bytes. */
export function Select({ className, children, ...rest }: ComponentProps<"select">) {
  return (
    <select {...useField()} {...rest} className={cx(CONTROL, "h-8 max-sm:h-10", className)}>
      {children}
    </select>
  );
}

export function Checkbox({
  label,
  hint,
  ...rest
}: Omit<ComponentProps<"input">, "type"> & { label: ReactNode; hint?: ReactNode }) {
  return (
    <label className="flex items-start gap-2">
      <input type="checkbox" {...rest} className="mt-[3px]" />
      <span>
        {label}
        {hint === undefined ? null : <span className="block text-sm text-ink-3">{hint}</span>}
      </span>
    </label>
  );
}

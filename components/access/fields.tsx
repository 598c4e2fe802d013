"use client";

import { Field, Input, Select } from "#components/ui/field.tsx";

type NameFieldProps = { name: string; example: string; error: string | undefined; onChange: (name: string) => void };

/** What a secret is called: after what uses it. */
export function NameField({ name, example, error, onChange }: NameFieldProps) {
  return (
    <Field label="Name" hint={`What uses it: ${example}`} error={error}>
      <Input
        required
        maxLength={100}
        autoComplete="off"
        value={name}
        onChange={(event) => onChange(event.target.value)}
      />
    </Field>
  );
}

const LIFETIMES = [
  [30, "in 30 days"],
  [90, "in 90 days"],
  [365, "in one year"],
  [0, "never"],
] as const;

/** When a secret expires, in days; 0: never. */
export function LifetimeField({ days, onChange }: { days: number; onChange: (days: number) => void }) {
  return (
    <Field label="Expires">
      <Select value={String(days)} onChange={(event) => onChange(Number(event.target.value))}>
        {LIFETIMES.map(([value, text]) => (
          <option key={value} value={value}>
            {text}
          </option>
        ))}
      </Select>
    </Field>
  );
}

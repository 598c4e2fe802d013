"use client";

import { Field, Textarea } from "#components/ui/field.tsx";

/** Why somebody decided so. */
export function NoteField({ value, onChange }: { value: string; onChange: (note: string) => void }) {
  return (
    <Field label="Note" optional hint="Kept with the decision and in the audit log.">
      <Textarea maxLength={500} value={value} onChange={(event) => onChange(event.target.value)} />
    </Field>
  );
}

/** The note as calls want it: absent when there is none. */
export function noteOf(text: string): { note?: string } {
  return text.trim() === "" ? {} : { note: text.trim() };
}

"use client";

import { Checkbox, Field, Input } from "#components/ui/field.tsx";
import { SideBySide } from "./side-by-side.tsx";

type Replacement = { replace: boolean; graceDays: string };

export const NO_REPLACEMENT: Replacement = { replace: false, graceDays: "" };

type ReplaceFieldsProps = {
  old: string;
  fresh: string;
  value: Replacement;
  onChange: (value: Replacement) => void;
};

/** A device that comes with another certificate than it has: the two beside each other, and the word that it is meant. */
export function ReplaceFields({ old, fresh, value, onChange }: ReplaceFieldsProps) {
  return (
    <>
      <SideBySide old={old} fresh={fresh} />
      <Checkbox
        label="Replace the certificate it has with this one"
        hint="The one it has is good until its grace is over, and refused after that."
        checked={value.replace}
        onChange={(event) => onChange({ ...value, replace: event.target.checked })}
      />
      {value.replace ? (
        <Field label="Grace in days" optional hint="0 ends the old one now. As the authority says when left empty.">
          <Input
            type="number"
            min={0}
            max={365}
            value={value.graceDays}
            onChange={(event) => onChange({ ...value, graceDays: event.target.value })}
          />
        </Field>
      ) : null}
    </>
  );
}

/** As the call wants it. */
export function replacementOf({ replace, graceDays }: Replacement): { replace?: true; graceDays?: number } {
  if (!replace) return {};
  return graceDays.trim() === "" ? { replace } : { replace, graceDays: Number(graceDays) };
}

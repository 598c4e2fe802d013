"use client";

import { Field, Select } from "#components/ui/field.tsx";
import type { AuthorityRules } from "#lib/contracts/console/authorities.ts";
import { isPolicy, POLICIES } from "./authority-words.ts";

type Policy = AuthorityRules["policy"];
type PolicyFieldProps = { policy: Policy; error: string | undefined; onChange: (policy: Policy) => void };

/** What becomes of who comes with an authority's certificate for the first time. */
export function PolicyField({ policy, error, onChange }: PolicyFieldProps) {
  return (
    <Field label="Newcomers" error={error}>
      <Select value={policy} onChange={({ target }) => onChange(isPolicy(target.value) ? target.value : "ask")}>
        {Object.entries(POLICIES).map(([value, words]) => (
          <option key={value} value={value}>
            {words}
          </option>
        ))}
      </Select>
    </Field>
  );
}

"use client";

import { useId } from "react";
import { DensityButton } from "#components/ui/density-button.tsx";
import { Input, Select } from "#components/ui/field.tsx";
import { SearchField } from "#components/ui/search-field.tsx";
import { CERTIFICATE_STATE } from "#components/ui/status.tsx";
import { useAuthorityOptions } from "./use-authority-options.ts";

export type CertificateFilterValues = {
  q: string;
  state: string;
  authorityId: string;
  keyType: string;
  endsBefore: string;
};

type CertificateFiltersProps = {
  values: CertificateFilterValues;
  onChange: (values: Partial<CertificateFilterValues>) => void;
};

const KEY_TYPES = ["P-256", "P-384", "P-521", "RSA-2048", "RSA-3072", "RSA-4096", "Ed25519"];

/** What the list of certificates is narrowed by. */
export function CertificateFilters({ values, onChange }: CertificateFiltersProps) {
  const authorities = useAuthorityOptions();
  const endsId = useId();
  const chosen = (field: keyof CertificateFilterValues) => ({
    className: "h-[34px]",
    value: values[field],
    onChange: (event: { target: { value: string } }) => onChange({ [field]: event.target.value }),
  });
  return (
    <div className="mb-3.5 flex flex-wrap items-center gap-2">
      <SearchField
        label="Search certificates"
        placeholder="Name, subject, start of a fingerprint"
        value={values.q}
        onSearch={(q) => onChange({ q })}
      />
      <div className="w-36 max-sm:w-full">
        <Select aria-label="State" {...chosen("state")}>
          <option value="">Every state</option>
          {Object.entries(CERTIFICATE_STATE).map(([state, { word }]) => (
            <option key={state} value={state}>
              {word}
            </option>
          ))}
        </Select>
      </div>
      <div className="w-44 max-sm:w-full">
        <Select aria-label="Authority" {...chosen("authorityId")}>
          <option value="">Every authority</option>
          {authorities.map(({ id, name }) => (
            <option key={id} value={id}>
              {name}
            </option>
          ))}
        </Select>
      </div>
      <div className="w-32 max-sm:w-full">
        <Select aria-label="Key" {...chosen("keyType")}>
          <option value="">Every key</option>
          {KEY_TYPES.map((type) => (
            <option key={type} value={type}>
              {type}
            </option>
          ))}
        </Select>
      </div>
      <div className="flex items-center gap-2 max-sm:w-full">
        <label htmlFor={endsId} className="shrink-0 text-ink-2">
          Ends before
        </label>
        <Input
          id={endsId}
          type="date"
          className="h-[34px]"
          value={values.endsBefore.slice(0, 10)}
          onChange={({ target }) => onChange({ endsBefore: target.value === "" ? "" : `${target.value}T00:00:00Z` })}
        />
      </div>
      <DensityButton />
    </div>
  );
}

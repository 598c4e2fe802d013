"use client";

import { useQuery } from "@tanstack/react-query";
import { Select } from "#components/ui/field.tsx";
import { SearchField } from "#components/ui/search-field.tsx";
import { api } from "#lib/client/api.ts";
import { count } from "#lib/client/format.ts";
import { keys } from "#lib/client/keys.ts";
import { useAuthorityOptions } from "./use-authority-options.ts";

export type RefusalFilterValues = { q: string; code: string; authorityId: string };

type RefusalFiltersProps = {
  values: RefusalFilterValues;
  onChange: (values: Partial<RefusalFilterValues>) => void;
};

/** What the list of refused attempts is narrowed by: the reasons that it has, and authorities. */
export function RefusalFilters({ values, onChange }: RefusalFiltersProps) {
  const authorities = useAuthorityOptions();
  const rates = useQuery({ queryKey: keys.refusals.rates, queryFn: ({ signal }) => api.listRefusalRates(signal) });
  const listed = (rates.data?.data ?? []).filter(({ code, listed }) => listed > 0 || code === values.code);
  const isKnown = values.code === "" || listed.some(({ code }) => code === values.code);
  return (
    <div className="mb-3.5 flex flex-wrap items-center gap-2">
      <SearchField
        label="Search refusals"
        placeholder="Subject, address, start of a fingerprint"
        value={values.q}
        onSearch={(q) => onChange({ q })}
      />
      <div className="w-60 max-sm:w-full">
        <Select
          aria-label="Reason"
          className="h-[34px]"
          value={values.code}
          onChange={({ target }) => onChange({ code: target.value })}
        >
          <option value="">Every reason</option>
          {isKnown ? null : <option value={values.code}>{values.code}</option>}
          {listed.map(({ code, listed, isUnusual }) => (
            <option key={code} value={code}>
              {`${code} (${count(listed)})${isUnusual ? ", unusually often" : ""}`}
            </option>
          ))}
        </Select>
      </div>
      <div className="w-44 max-sm:w-full">
        <Select
          aria-label="Authority"
          className="h-[34px]"
          value={values.authorityId}
          onChange={({ target }) => onChange({ authorityId: target.value })}
        >
          <option value="">Every authority</option>
          {authorities.map(({ id, name }) => (
            <option key={id} value={id}>
              {name}
            </option>
          ))}
        </Select>
      </div>
    </div>
  );
}

"use client";

import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { SlidersHorizontal } from "lucide-react";
import { useState } from "react";
import { MENDER_STATUS } from "#components/mender/texts.ts";
import { Button } from "#components/ui/button.tsx";
import { cx } from "#components/ui/cx.ts";
import { CERTIFICATE_STATE, DEVICE_STATUS } from "#components/ui/status.tsx";
import { api } from "#lib/client/api.ts";
import { toFacetQuery } from "#lib/client/device-params.ts";
import { count } from "#lib/client/format.ts";
import { keys } from "#lib/client/keys.ts";
import type { DeviceFilter, Facet } from "./use-device-params.ts";

type Choice = { value: string; label: string; count: number };

/** Choices with the number of devices that each would show. On phones they open on demand. */
export function Facets({ filter }: { filter: DeviceFilter }) {
  const [open, setOpen] = useState(false);
  const query = toFacetQuery(filter.params);
  const { data } = useQuery({
    queryKey: keys.devices.facets(query),
    queryFn: ({ signal }) => api.deviceFacets(query, signal),
    placeholderData: keepPreviousData,
  });
  const { status, certificate, hardware, mender } = filter.params;
  const chosen = status.length + certificate.length + hardware.length + mender.length;
  const words = (looks: Readonly<Record<string, { word: string }>>) => (value: string) => looks[value]?.word ?? value;
  return (
    <aside aria-label="Filters" className="w-44 shrink-0 max-md:w-full">
      <Button className="md:hidden" aria-expanded={open} onClick={() => setOpen(!open)}>
        <SlidersHorizontal aria-hidden />
        {chosen === 0 ? "Filters" : `Filters (${chosen})`}
      </Button>
      <div className={cx("grid content-start gap-4 pt-1.5 max-md:grid-cols-2 max-md:pt-3", !open && "max-md:hidden")}>
        <Group
          title="Status"
          facet="status"
          filter={filter}
          choices={choicesOf(data?.status, status, { order: Object.keys(DEVICE_STATUS), label: words(DEVICE_STATUS) })}
        />
        <Group
          title="Certificate"
          facet="certificate"
          filter={filter}
          choices={choicesOf(data?.certificate, certificate, {
            order: Object.keys(CERTIFICATE_STATE),
            label: words(CERTIFICATE_STATE),
          })}
        />
        <Group
          title="Hardware"
          facet="hardware"
          filter={filter}
          choices={choicesOf(data?.hardware, hardware, { order: [], label: (value) => value })}
        />
        {data === undefined || (data.mender.length === 0 && mender.length === 0) ? null : (
          <Group
            title="Mender"
            facet="mender"
            filter={filter}
            choices={choicesOf(data.mender, mender, { order: Object.keys(MENDER_STATUS), label: words(MENDER_STATUS) })}
          />
        )}
      </div>
    </aside>
  );
}

type GroupProps = { title: string; facet: Facet; filter: DeviceFilter; choices: readonly Choice[] | null };

function Group({ title, facet, filter, choices }: GroupProps) {
  if (choices !== null && choices.length === 0) return null;
  return (
    <fieldset className="min-w-0">
      <legend className="mb-1 text-sm font-medium text-ink-3">{title}</legend>
      {choices === null
        ? [0, 1, 2].map((line) => (
            <div key={line} className="flex h-[26px] items-center">
              <span className="skeleton h-3 w-28" />
            </div>
          ))
        : choices.map(({ value, label, count: devices }) => (
            <label key={value} className="flex h-[26px] items-center gap-2 max-md:h-8">
              <input
                type="checkbox"
                checked={filter.params[facet].includes(value)}
                onChange={() => filter.toggle(facet, value)}
              />
              <span className={cx("min-w-0 flex-1 truncate", devices === 0 && "text-ink-3")}>{label}</span>
              <span className="num text-sm text-ink-3">{count(devices)}</span>
            </label>
          ))}
    </fieldset>
  );
}

type Counted = readonly { value: string; count: number }[];
type Wording = { order: readonly string[]; label: (value: string) => string };

/** What is there and what is chosen; a chosen value without devices stays, so that it can be taken back. */
function choicesOf(counted: Counted | undefined, chosen: readonly string[], wording: Wording): Choice[] | null {
  if (counted === undefined) return null;
  const counts = new Map(counted.map((entry) => [entry.value, entry.count]));
  const values = [...new Set([...wording.order, ...counts.keys(), ...chosen])];
  return values
    .map((value) => ({ value, label: wording.label(value), count: counts.get(value) ?? 0 }))
    .filter(({ value, count: devices }) => devices > 0 || chosen.includes(value));
}

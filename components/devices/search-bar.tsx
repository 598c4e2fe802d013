"use client";

import { X } from "lucide-react";
import { Button } from "#components/ui/button.tsx";
import { DensityButton } from "#components/ui/density-button.tsx";
import { SearchField } from "#components/ui/search-field.tsx";
import type { DeviceFilter } from "./use-device-params.ts";

export function SearchBar({ filter }: { filter: DeviceFilter }) {
  const { params, active, search, drop, clear } = filter;
  return (
    <div className="mb-3.5 grid grid-cols-1 gap-2">
      <div className="flex items-center gap-2">
        <SearchField
          label="Search devices"
          placeholder="Name, device id, start of a UUID"
          value={params.q}
          onSearch={search}
        />
        {active === 0 ? null : (
          <Button look="quiet" className="h-[34px] max-sm:h-10" onClick={clear}>
            Clear filters
          </Button>
        )}
        <DensityButton />
      </div>
      {params.image === "" && params.simulated === "" ? null : (
        <div className="flex flex-wrap gap-1.5">
          {params.image === "" ? null : <Chip name="image" value={params.image} onDrop={() => drop("image")} />}
          {params.simulated === "" ? null : (
            <Chip name="simulated" value={params.simulated} onDrop={() => drop("simulated")} />
          )}
        </div>
      )}
    </div>
  );
}

/** A condition that has no facet, set by a link from elsewhere. */
function Chip({ name, value, onDrop }: { name: string; value: string; onDrop: () => void }) {
  return (
    <button
      type="button"
      onClick={onDrop}
      aria-label={`Remove the filter ${name}: ${value}`}
      className="mono inline-flex h-6 max-w-full items-center gap-1.5 rounded-sm border border-line bg-sunken px-1.5 hover:border-line-strong"
    >
      <span className="text-ink-3">{name}:</span>
      <span className="truncate font-medium">{value}</span>
      <X aria-hidden className="size-3 text-ink-3" />
    </button>
  );
}

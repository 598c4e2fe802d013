"use client";

import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Field, Select } from "#components/ui/field.tsx";
import { SearchField } from "#components/ui/search-field.tsx";
import { api } from "#lib/client/api.ts";
import { keys } from "#lib/client/keys.ts";
import type { DeviceGroup } from "#lib/contracts/console/device-groups.ts";

type GroupFieldProps = { value: string; error: string | undefined; onChange: (groupId: string) => void };

/** Chooses a group that devices are put into, by its name. One can search where there are too many for one list. */
export function GroupField({ value, error, onChange }: GroupFieldProps) {
  const [q, setQ] = useState("");
  const [chosen, setChosen] = useState<DeviceGroup>();
  const every = useGroups("");
  const { data, error: failure, refetch } = useGroups(q);
  const groups = data?.data ?? [];
  const isKept = chosen !== undefined && chosen.id === value && !groups.some(({ id }) => id === value);
  const choose = (id: string) => {
    setChosen(groups.find((group) => group.id === id));
    onChange(id);
  };
  return (
    <Field
      label="Group"
      optional
      hint={
        failure === null ? (
          hintOf(every.data?.data.length)
        ) : (
          <>
            The device registry does not say which groups there are.{" "}
            <button type="button" className="link" onClick={() => void refetch()}>
              Ask again
            </button>
          </>
        )
      }
      error={error}
    >
      {every.data?.isComplete === false ? (
        <SearchField label="Search groups" placeholder="Part of the name" value={q} onSearch={setQ} />
      ) : null}
      <Select
        value={value}
        disabled={every.data?.data.length === 0 && value === ""}
        onChange={(event) => choose(event.target.value)}
      >
        <option value="">{q !== "" && groups.length === 0 ? "no group of this name" : "none"}</option>
        {isKept ? <option value={value}>{chosen.name}</option> : null}
        {groups.map(({ id, name }) => (
          <option key={id} value={id}>
            {name}
          </option>
        ))}
        {data?.isComplete === false ? <option disabled>more: search for a part of the name</option> : null}
      </Select>
    </Field>
  );
}

function useGroups(q: string) {
  const query = { q };
  return useQuery({
    queryKey: keys.deviceGroups.list(query),
    queryFn: ({ signal }) => api.listDeviceGroups(query, signal),
    placeholderData: keepPreviousData,
  });
}

function hintOf(count: number | undefined): string {
  return count === 0 ? "There is no group yet that devices can be put into." : "Devices are put into it as they come.";
}

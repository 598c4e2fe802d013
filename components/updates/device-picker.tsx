"use client";

import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useMemo, useState } from "react";
import { namedImage } from "#components/devices/installed-image.ts";
import { Button } from "#components/ui/button.tsx";
import { type Column, DataTable } from "#components/ui/data-table.tsx";
import { ErrorPanel } from "#components/ui/error-panel.tsx";
import { Pager, usePaging } from "#components/ui/pager.tsx";
import { SearchField } from "#components/ui/search-field.tsx";
import { DEVICE_STATUS, StatusBadge } from "#components/ui/status.tsx";
import { Tag } from "#components/ui/tag.tsx";
import { toast } from "#components/ui/toast.tsx";
import type { Selection } from "#components/ui/use-selection.ts";
import { api } from "#lib/client/api.ts";
import { count, plural } from "#lib/client/format.ts";
import { keys } from "#lib/client/keys.ts";
import { ApiProblem } from "#lib/client/problem.ts";
import type { Device } from "#lib/contracts/console/devices.ts";

const SHOWN = 20;
const AT_ONCE = 200;
/** The contract's bound on one update. */
const MOST = 10_000;

const COLUMNS: readonly Column<Device>[] = [
  { id: "name", head: "Name", rowHeader: true, grow: true, cell: ({ name }) => name },
  {
    id: "hardware",
    head: "Hardware",
    from: "sm",
    cell: ({ hardwareIds }) => (
      <span className="flex gap-1">
        {hardwareIds.map((id) => (
          <Tag key={id}>{id}</Tag>
        ))}
      </span>
    ),
  },
  { id: "status", head: "Status", cell: ({ status }) => <StatusBadge look={DEVICE_STATUS[status]} /> },
  {
    id: "image",
    head: "Runs",
    from: "md",
    cell: ({ ecus }) => (
      <span className="text-ink-2">
        {namedImage(ecus.find(({ primary }) => primary)?.installed ?? null)?.filename ?? "—"}
      </span>
    ),
  },
];

type DevicePickerProps = {
  hardwareIds: readonly string[];
  chosen: ReadonlySet<string>;
  onChange: (chosen: ReadonlySet<string>) => void;
};

/** Devices that have the hardware, to tick one by one or all that match. */
export function DevicePicker({ hardwareIds, chosen, onChange }: DevicePickerProps) {
  const [q, setQ] = useState("");
  const [cursor, setCursor] = useState("");
  const [gathering, setGathering] = useState(false);
  const filter = { q, hardware: [...hardwareIds].sort(), sort: "name" };
  const query = { ...filter, cursor, limit: SHOWN };
  const { data, error, isPlaceholderData, refetch } = useQuery({
    queryKey: keys.devices.list(query),
    queryFn: ({ signal }) => api.listDevices(query, signal),
    placeholderData: keepPreviousData,
  });
  const paging = usePaging(cursor, setCursor);
  const selection = useMemo<Selection>(
    () => ({
      ids: chosen,
      has: (id) => chosen.has(id),
      setMany: (ids, selected) => {
        const next = new Set(chosen);
        for (const id of ids) selected ? next.add(id) : next.delete(id);
        onChange(next);
      },
      clear: () => onChange(new Set()),
    }),
    [chosen, onChange],
  );
  const chooseAll = async () => {
    setGathering(true);
    try {
      onChange(new Set([...chosen, ...(await gatherAll(filter))]));
    } catch (reason) {
      toast.failed("Not all devices could be read", reason instanceof ApiProblem ? reason.message : undefined);
    } finally {
      setGathering(false);
    }
  };
  const total = data?.total ?? 0;
  return (
    <div className="grid gap-3 py-3.5">
      <div className="flex flex-wrap gap-2 px-3.5">
        <SearchField
          label="Search devices"
          placeholder={hardwareIds.length === 0 ? "Name or id" : `Name or id, of ${hardwareIds.join(", ")}`}
          value={q}
          onSearch={(text) => {
            setQ(text);
            setCursor("");
          }}
        />
        <Button
          busy={gathering}
          disabled={total === 0 || total > MOST}
          onClick={() => void chooseAll()}
          className="h-[34px] max-sm:h-10"
        >
          Choose all {data?.totalIsExact === false ? "about " : ""}
          {count(total)}
        </Button>
      </div>
      {error === null ? (
        <div>
          <DataTable
            inCard
            caption="Devices to choose from"
            columns={COLUMNS}
            rows={data?.data}
            keyOf={({ uuid }) => uuid}
            nameOf={({ name }) => name}
            selection={selection}
            refreshing={isPlaceholderData}
            skeletonRows={5}
          />
          {data !== undefined && data.data.length === 0 ? (
            <p className="px-3.5 py-5 text-center text-ink-3">
              {hardwareIds.length === 0
                ? "No device matches."
                : `No device with ${hardwareIds.join(" or ")} matches. Devices tell their hardware at their first visit.`}
            </p>
          ) : null}
          <div className="px-3.5">
            <Pager paging={paging} page={data} limit={SHOWN} />
          </div>
        </div>
      ) : (
        <div className="px-3.5">
          <ErrorPanel what="The devices" error={error} retry={() => void refetch()} />
        </div>
      )}
      <p className="flex items-center gap-2 px-3.5">
        <span className="num font-strong">{plural(chosen.size, "device")} chosen</span>
        {chosen.size === 0 ? null : (
          <Button size="sm" look="quiet" onClick={() => onChange(new Set())}>
            Choose none
          </Button>
        )}
      </p>
    </div>
  );
}

async function gatherAll(filter: { q: string; hardware: string[]; sort: string }): Promise<string[]> {
  const uuids: string[] = [];
  let cursor = "";
  do {
    const page = await api.listDevices({ ...filter, cursor, limit: AT_ONCE });
    uuids.push(...page.data.map(({ uuid }) => uuid));
    cursor = page.nextCursor ?? "";
  } while (cursor !== "" && uuids.length < MOST);
  return uuids.slice(0, MOST);
}

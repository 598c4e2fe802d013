"use client";

import { keepPreviousData, useQuery } from "@tanstack/react-query";
import dynamic from "next/dynamic";
import Link from "next/link";
import { useState } from "react";
import { Button } from "#components/ui/button.tsx";
import { Card } from "#components/ui/card.tsx";
import { type Column, DataTable } from "#components/ui/data-table.tsx";
import { ErrorPanel } from "#components/ui/error-panel.tsx";
import { Select } from "#components/ui/field.tsx";
import { Pager, usePaging } from "#components/ui/pager.tsx";
import { StatusBadge, UPDATE_DEVICE_STATE } from "#components/ui/status.tsx";
import { RelativeTime } from "#components/ui/time.tsx";
import { api } from "#lib/client/api.ts";
import { count } from "#lib/client/format.ts";
import { keys } from "#lib/client/keys.ts";
import { toUpdateQuery, UPDATE_PAGE_SIZE } from "#lib/client/update-params.ts";
import type { UpdateCounts, UpdateDevice } from "#lib/contracts/console/updates.ts";
import { STATE_ORDER } from "./counts.ts";

const EvidenceDialog = dynamic(() => import("./evidence-dialog.tsx").then((module) => module.EvidenceDialog));

type Params = { state: string; cursor: string };
type UpdateDevicesProps = {
  id: string;
  params: Params;
  setParams: (change: { state?: string | null; cursor?: string | null }) => void;
  counts: UpdateCounts;
};

/** The devices of an update, a state at a time if wanted, each with its cause and its proof. */
export function UpdateDevices({ id, params, setParams, counts }: UpdateDevicesProps) {
  const query = toUpdateQuery(params);
  const [shown, setShown] = useState<UpdateDevice | null>(null);
  const { data, error, isPlaceholderData, refetch } = useQuery({
    queryKey: keys.updates.devices(id, query),
    queryFn: ({ signal }) => api.listUpdateDevices(id, query, signal),
    placeholderData: keepPreviousData,
  });
  const paging = usePaging(params.cursor, (cursor) => setParams({ cursor }));
  if (error !== null)
    return <ErrorPanel what="The devices of this update" error={error} retry={() => void refetch()} />;
  return (
    <div>
      <Card
        flush
        title="Devices"
        aside={
          <Select
            aria-label="State"
            className="h-[26px] w-auto! text-sm"
            value={params.state}
            onChange={(event) =>
              setParams({ state: event.target.value === "" ? null : event.target.value, cursor: null })
            }
          >
            <option value="">All states ({count(counts.total)})</option>
            {STATE_ORDER.map((state) => (
              <option key={state} value={state}>
                {UPDATE_DEVICE_STATE[state].word} ({count(counts[state])})
              </option>
            ))}
          </Select>
        }
      >
        <DataTable
          inCard
          caption="Devices of this update"
          columns={columns(setShown)}
          rows={data?.data}
          keyOf={({ uuid }) => uuid}
          refreshing={isPlaceholderData}
        />
        {data !== undefined && data.data.length === 0 ? (
          <p className="px-3.5 py-6 text-center text-ink-3">No device of this update is in this state now.</p>
        ) : null}
      </Card>
      <Pager paging={paging} page={data} limit={UPDATE_PAGE_SIZE} />
      {shown?.evidence === undefined ? null : (
        <EvidenceDialog device={shown} evidence={shown.evidence} onClose={() => setShown(null)} />
      )}
    </div>
  );
}

function columns(show: (device: UpdateDevice) => void): readonly Column<UpdateDevice>[] {
  return [
    {
      id: "device",
      head: "Device",
      rowHeader: true,
      wrap: true,
      cell: ({ uuid, name, reason }) => (
        <div className="min-w-28 xl:min-w-56">
          {name === null ? (
            <span className="mono text-ink-2">{uuid}</span>
          ) : (
            <Link href={`/devices/${uuid}`} prefetch={false} className="hover:underline">
              {name}
            </Link>
          )}
          <div className="font-normal text-ink-2 sm:hidden">{reason}</div>
        </div>
      ),
    },
    { id: "state", head: "State", cell: ({ state }) => <StatusBadge look={UPDATE_DEVICE_STATE[state]} /> },
    {
      id: "reason",
      head: "Why, or what comes next",
      grow: true,
      wrap: true,
      from: "sm",
      cell: ({ reason, reasonCode, state }) => (
        <>
          <span className="text-ink-2">
            {reason ?? (state === "updated" ? "Its signed manifest reports the image." : "")}
          </span>
          {reasonCode === null ? null : <div className="mono text-ink-3">{reasonCode}</div>}
        </>
      ),
    },
    {
      id: "evidence",
      head: "Evidence",
      from: "sm",
      cell: (device) =>
        device.evidence === undefined ? (
          <span className="text-ink-3">—</span>
        ) : (
          <Button
            size="sm"
            look="quiet"
            aria-label={`Evidence of ${device.name ?? device.uuid}`}
            onClick={() => show(device)}
          >
            Show
          </Button>
        ),
    },
    {
      id: "since",
      head: "Since",
      align: "right",
      cell: ({ stateAt }) => <RelativeTime at={stateAt} bare className="text-ink-2" />,
    },
  ];
}

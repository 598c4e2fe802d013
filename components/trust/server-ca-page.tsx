"use client";

import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { ListChecks } from "lucide-react";
import Link from "next/link";
import { useQueryStates } from "nuqs";
import { type Column, DataTable } from "#components/ui/data-table.tsx";
import { EmptyState } from "#components/ui/empty-state.tsx";
import { ErrorPanel } from "#components/ui/error-panel.tsx";
import { PageHead } from "#components/ui/page.tsx";
import { Pager, usePaging } from "#components/ui/pager.tsx";
import { Segmented } from "#components/ui/segmented.tsx";
import { RelativeTime } from "#components/ui/time.tsx";
import { api } from "#lib/client/api.ts";
import { keys } from "#lib/client/keys.ts";
import { serverCaParams, TRUST_PAGE_SIZE, toListQuery } from "#lib/client/trust-params.ts";
import type { ServerCaDevice } from "#lib/contracts/console/server-ca.ts";
import { ServerCaCards } from "./server-ca-cards.tsx";

const COLUMNS: readonly Column<ServerCaDevice>[] = [
  {
    id: "device",
    head: "Device",
    rowHeader: true,
    grow: true,
    cell: ({ deviceUuid, name }) => (
      <Link href={`/devices/${deviceUuid}`} prefetch={false} className="link">
        {name ?? deviceUuid}
      </Link>
    ),
  },
  {
    id: "given",
    head: "Given to it",
    align: "right",
    cell: ({ givenAt }) =>
      givenAt === null ? <span className="text-ink-3">not on record</span> : <RelativeTime at={givenAt} bare />,
  },
];

/** What devices know the doors by, and which of them have the newest. */
export function ServerCaPage() {
  const [params, setParams] = useQueryStates(serverCaParams, { history: "push", scroll: false });
  const query = toListQuery(params);
  const serverCa = useQuery({
    queryKey: keys.authorities.serverCa,
    queryFn: ({ signal }) => api.getServerCa(signal),
  });
  const { data, error, isPlaceholderData, refetch } = useQuery({
    queryKey: keys.authorities.serverCaDevices(query),
    queryFn: ({ signal }) => api.listServerCaDevices(query, signal),
    placeholderData: keepPreviousData,
  });
  const paging = usePaging(params.cursor, (cursor) => void setParams({ cursor }));
  const empty = data !== undefined && data.total === 0 && !isPlaceholderData;
  return (
    <>
      <PageHead
        trail={{ href: "/trust/authorities", label: "Authorities" }}
        title="Server CA"
        meta="Signs the certificate of the doors. Devices pin it: they talk to nothing else."
      />
      <div className="grid max-w-3xl gap-4">
        {serverCa.error === null ? null : (
          <ErrorPanel what="The server CA" error={serverCa.error} retry={() => void serverCa.refetch()} />
        )}
        {serverCa.data === undefined ? null : <ServerCaCards serverCa={serverCa.data} />}
        <div className="max-w-80">
          <Segmented
            label="Devices to list"
            value={params.has}
            onChange={(has) => void setParams({ has, cursor: null })}
            options={[
              { value: "false", label: "Without the newest" },
              { value: "true", label: "With it" },
            ]}
          />
        </div>
        {error === null ? null : <ErrorPanel what="The devices" error={error} retry={() => void refetch()} />}
        {data === undefined && error !== null ? null : empty ? (
          <EmptyState icon={ListChecks} title={params.has === "true" ? "No device has it yet" : "Every device has it"}>
            {params.has === "true"
              ? "A device has it when it was given credentials since it was made."
              : "Each device that may come in was given the newest server CA."}
          </EmptyState>
        ) : (
          <div>
            <DataTable
              caption="Devices"
              columns={COLUMNS}
              rows={data?.data}
              keyOf={({ deviceUuid }) => deviceUuid}
              refreshing={isPlaceholderData}
            />
            <Pager paging={paging} page={data} limit={TRUST_PAGE_SIZE} />
          </div>
        )}
      </div>
    </>
  );
}

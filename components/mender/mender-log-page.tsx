"use client";

import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { ScrollText, SearchX } from "lucide-react";
import Link from "next/link";
import { useQueryStates } from "nuqs";
import { Button } from "#components/ui/button.tsx";
import { type Column, DataTable } from "#components/ui/data-table.tsx";
import { EmptyState } from "#components/ui/empty-state.tsx";
import { ErrorPanel } from "#components/ui/error-panel.tsx";
import { PageHead } from "#components/ui/page.tsx";
import { Pager, usePaging } from "#components/ui/pager.tsx";
import { SearchField } from "#components/ui/search-field.tsx";
import { Segmented } from "#components/ui/segmented.tsx";
import { Pill } from "#components/ui/status.tsx";
import { RelativeTime } from "#components/ui/time.tsx";
import { api } from "#lib/client/api.ts";
import { count } from "#lib/client/format.ts";
import { keys } from "#lib/client/keys.ts";
import {
  groupOf,
  MENDER_PAGE_SIZE,
  menderLogParams,
  type OutcomeGroup,
  toMenderLogQuery,
} from "#lib/client/mender-params.ts";
import type { MenderLogEntry } from "#lib/contracts/console/mender.ts";
import { MENDER_OUTCOME } from "./texts.ts";

const COLUMNS: readonly Column<MenderLogEntry>[] = [
  {
    id: "identity",
    head: "Device",
    rowHeader: true,
    wrap: true,
    cell: ({ identity, deviceUuid }) => (
      <Link
        href={`/devices/${deviceUuid}`}
        prefetch={false}
        className="link mono block min-w-24 wrap-anywhere sm:min-w-40"
      >
        {identity === "" ? deviceUuid : identity}
      </Link>
    ),
  },
  {
    id: "outcome",
    head: "Outcome",
    cell: ({ outcome }) => <Pill tone={MENDER_OUTCOME[outcome].tone}>{MENDER_OUTCOME[outcome].word}</Pill>,
  },
  { id: "why", head: "Why", grow: true, wrap: true, from: "sm", cell: ({ sentence }) => sentence },
  {
    id: "certificate",
    head: "Certificate",
    from: "lg",
    cell: ({ fingerprint }) => (
      <Link href={`/trust/certificates/${fingerprint}`} prefetch={false} className="link mono">
        {fingerprint.slice(0, 12)}…
      </Link>
    ),
  },
  { id: "times", head: "Times", align: "right", from: "sm", cell: (it) => count(it.count) },
  {
    id: "first",
    head: "First",
    align: "right",
    from: "lg",
    cell: ({ firstAt }) => <RelativeTime at={firstAt} bare className="text-ink-2" />,
  },
  {
    id: "last",
    head: "Last",
    align: "right",
    cell: ({ lastAt }) => <RelativeTime at={lastAt} bare className="text-ink-2" />,
  },
];

const GROUPS: readonly { value: OutcomeGroup | "all"; label: string }[] = [
  { value: "all", label: "All" },
  { value: "in", label: "Let in" },
  { value: "waiting", label: "Waiting" },
  { value: "refused", label: "Refused" },
  { value: "trouble", label: "Trouble" },
  { value: "revoked", label: "Revoked" },
];

/** What was preauthorized at the Mender server, when, and why not. */
export function MenderLogPage() {
  const [params, setParams] = useQueryStates(menderLogParams, { history: "push", scroll: false });
  const group = groupOf(params.show) ?? "all";
  const query = toMenderLogQuery(params);
  const { data, error, isPlaceholderData, refetch } = useQuery({
    queryKey: keys.backends.menderLog(query),
    queryFn: ({ signal }) => api.listMenderLog(query, signal),
    placeholderData: keepPreviousData,
  });
  const paging = usePaging(params.cursor, (cursor) => void setParams({ cursor }));
  const isEmpty = data !== undefined && data.total === 0 && !isPlaceholderData;
  const isFiltered = params.q !== "" || params.device !== "" || group !== "all";
  return (
    <>
      <PageHead
        title="Mender log"
        meta="What was preauthorized at the Mender server, when, and why not"
        trail={{ href: "/settings", label: "Settings" }}
      />
      <div className="mb-3.5 flex flex-wrap gap-2">
        <SearchField
          label="Search the log"
          placeholder="Identity, fingerprint, Mender's device id"
          value={params.q}
          onSearch={(q) => void setParams({ q, cursor: null }, { history: "replace" })}
        />
        <div className="w-full lg:w-auto">
          <Segmented
            label="Outcome"
            options={GROUPS}
            value={group}
            onChange={(show) => void setParams({ show: show === "all" ? null : show, cursor: null })}
          />
        </div>
      </div>
      {params.device === "" ? null : (
        <p className="mb-3.5 flex flex-wrap items-center gap-2 text-ink-2">
          Only the device
          <Link href={`/devices/${params.device}`} prefetch={false} className="link mono wrap-anywhere">
            {params.device}
          </Link>
          <Button look="quiet" onClick={() => void setParams({ device: null, cursor: null })}>
            Show all devices
          </Button>
        </p>
      )}
      {error === null ? null : <ErrorPanel what="The log" error={error} retry={() => void refetch()} />}
      {data === undefined && error !== null ? null : isEmpty ? (
        <EmptyState
          icon={isFiltered ? SearchX : ScrollText}
          title={isFiltered ? "Nothing matches" : "No device has asked yet"}
          actions={
            isFiltered ? (
              <Button onClick={() => void setParams({ q: null, device: null, show: null, cursor: null })}>
                Clear the filter
              </Button>
            ) : undefined
          }
        >
          Each device that authenticates at the Mender door stands here with what came of it.
        </EmptyState>
      ) : (
        <>
          <DataTable
            caption="Preauthorizations"
            columns={COLUMNS}
            rows={data?.data}
            keyOf={({ id }) => id}
            refreshing={isPlaceholderData}
          />
          <Pager paging={paging} page={data} limit={MENDER_PAGE_SIZE} />
        </>
      )}
    </>
  );
}

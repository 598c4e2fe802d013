"use client";

import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { Download, Plus, SearchX } from "lucide-react";
import Link from "next/link";
import { useRouter } from "next/navigation";
import { useQueryStates } from "nuqs";
import { GuardedButton } from "#components/shell/me.tsx";
import { Button } from "#components/ui/button.tsx";
import { type Column, DataTable } from "#components/ui/data-table.tsx";
import { EmptyState } from "#components/ui/empty-state.tsx";
import { ErrorPanel } from "#components/ui/error-panel.tsx";
import { Select } from "#components/ui/field.tsx";
import { PageHead } from "#components/ui/page.tsx";
import { Pager, usePaging } from "#components/ui/pager.tsx";
import { SearchField } from "#components/ui/search-field.tsx";
import { StatusBadge, UPDATE_STATE } from "#components/ui/status.tsx";
import { RelativeTime } from "#components/ui/time.tsx";
import { api } from "#lib/client/api.ts";
import { count, plural } from "#lib/client/format.ts";
import { keys } from "#lib/client/keys.ts";
import { toUpdateQuery, UPDATE_PAGE_SIZE, updateListParams } from "#lib/client/update-params.ts";
import type { UpdateState, UpdateSummary } from "#lib/contracts/console/updates.ts";
import { StateBar } from "./state-bar.tsx";
import { TargetsText } from "./targets-text.tsx";

const COLUMNS: readonly Column<UpdateSummary>[] = [
  {
    id: "name",
    head: "Name",
    rowHeader: true,
    grow: true,
    wrap: true,
    cell: ({ id, name, targets }) => (
      <>
        <Link href={`/updates/${id}`} className="hover:underline">
          {name}
        </Link>
        <div className="text-sm font-normal text-ink-2">
          <TargetsText targets={targets} />
        </div>
      </>
    ),
  },
  { id: "state", head: "State", cell: ({ state }) => <StatusBadge look={UPDATE_STATE[state]} /> },
  {
    id: "progress",
    head: "Proven",
    from: "sm",
    cell: ({ counts }) => (
      <div className="w-44 max-lg:w-28">
        <StateBar counts={counts} />
        <div className="num text-sm text-ink-3">
          {count(counts.updated)} of {count(counts.total)}
          {counts.failed > 0 ? <span className="text-bad">, {count(counts.failed)} failed</span> : null}
        </div>
      </div>
    ),
  },
  { id: "by", head: "By", from: "lg", cell: ({ createdBy }) => <span className="text-ink-2">{createdBy}</span> },
  {
    id: "at",
    head: "Launched",
    align: "right",
    from: "md",
    cell: ({ createdAt }) => <RelativeTime at={createdAt} bare className="text-ink-2" />,
  },
];

const STATES: readonly UpdateState[] = ["launching", "running", "cancelling", "cancelled", "finished"];

export function UpdatesPage() {
  const router = useRouter();
  const [params, setParams] = useQueryStates(updateListParams, { history: "push", scroll: false });
  const query = toUpdateQuery(params);
  const { data, error, isPlaceholderData, refetch } = useQuery({
    queryKey: keys.updates.list(query),
    queryFn: ({ signal }) => api.listUpdates(query, signal),
    placeholderData: keepPreviousData,
  });
  const paging = usePaging(params.cursor, (cursor) => void setParams({ cursor }));
  const filtered = params.q !== "" || params.state !== "";
  const empty = data !== undefined && data.total === 0 && !isPlaceholderData;
  const launch = () => router.push("/updates/new");
  return (
    <>
      <PageHead
        title="Updates"
        meta={
          data === undefined ? (
            <span className="skeleton inline-block h-3 w-28" />
          ) : (
            `${plural(data.total, "update")}${filtered ? " match" : ""}`
          )
        }
        actions={
          <GuardedButton permission="update.launch" look="primary" onClick={launch}>
            <Plus aria-hidden />
            New update
          </GuardedButton>
        }
      />
      {error !== null ? (
        <ErrorPanel what="The list of updates" error={error} retry={() => void refetch()} />
      ) : empty && !filtered ? (
        <EmptyState
          icon={Download}
          title="No update yet"
          actions={
            <GuardedButton permission="update.launch" onClick={launch}>
              <Plus aria-hidden />
              New update
            </GuardedButton>
          }
        >
          An update brings an image to devices. It stands here with each device's state and its cause, until every
          device has proven what it runs.
        </EmptyState>
      ) : (
        <>
          <div className="mb-3.5 flex gap-2">
            <SearchField
              label="Search updates"
              placeholder="Name of an update"
              value={params.q}
              onSearch={(q) => void setParams({ q, cursor: null }, { history: "replace" })}
            />
            <Select
              aria-label="State"
              className="h-[34px] w-auto!"
              value={params.state}
              onChange={(event) => void setParams({ state: event.target.value, cursor: null })}
            >
              <option value="">All states</option>
              {STATES.map((state) => (
                <option key={state} value={state}>
                  {UPDATE_STATE[state].word}
                </option>
              ))}
            </Select>
          </div>
          {empty ? (
            <EmptyState
              icon={SearchX}
              title="No update matches"
              actions={
                <Button onClick={() => void setParams({ q: null, state: null, cursor: null })}>Clear the filter</Button>
              }
            />
          ) : (
            <>
              <DataTable
                caption="Updates"
                columns={COLUMNS}
                rows={data?.data}
                keyOf={({ id }) => id}
                refreshing={isPlaceholderData}
              />
              <Pager paging={paging} page={data} limit={UPDATE_PAGE_SIZE} />
            </>
          )}
        </>
      )}
    </>
  );
}

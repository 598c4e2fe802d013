"use client";

import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { DoorClosed, SearchX } from "lucide-react";
import Link from "next/link";
import { useQueryStates } from "nuqs";
import { Button } from "#components/ui/button.tsx";
import { type Column, DataTable } from "#components/ui/data-table.tsx";
import { Fingerprint } from "#components/ui/digest.tsx";
import { EmptyState } from "#components/ui/empty-state.tsx";
import { ErrorPanel } from "#components/ui/error-panel.tsx";
import { Pager, usePaging } from "#components/ui/pager.tsx";
import { RelativeTime } from "#components/ui/time.tsx";
import { api } from "#lib/client/api.ts";
import { count } from "#lib/client/format.ts";
import { keys } from "#lib/client/keys.ts";
import { refusalParams, TRUST_PAGE_SIZE, toListQuery } from "#lib/client/trust-params.ts";
import type { Refusal } from "#lib/contracts/console/refusals.ts";
import { commonName } from "./names.ts";
import { RefusalActions } from "./refusal-actions.tsx";
import { otherAddresses } from "./refusal-addresses.ts";
import { RefusalFilters } from "./refusal-filters.tsx";

const COLUMNS: readonly Column<Refusal>[] = [
  {
    id: "who",
    head: "Who",
    rowHeader: true,
    wrap: true,
    cell: ({ subject, fingerprint, sentence, detail }) => (
      <div className="min-w-32 lg:min-w-72">
        {subject === null ? <span className="text-ink-2">No readable certificate</span> : commonName(subject)}
        {fingerprint === null ? null : (
          <div className="text-sm font-normal text-ink-3">
            <Fingerprint value={fingerprint} />
          </div>
        )}
        <div className="font-normal text-ink-2 sm:hidden">{detail ?? sentence}</div>
      </div>
    ),
  },
  {
    id: "why",
    head: "Why",
    grow: true,
    wrap: true,
    from: "sm",
    cell: ({ sentence, detail, authority }) => (
      <>
        {sentence}
        {detail === null ? null : <div className="text-sm text-ink-2 wrap-anywhere">{detail}</div>}
        {authority === null ? null : (
          <div className="text-sm text-ink-3">
            Signed by{" "}
            <Link href={`/trust/authorities/${authority.id}`} prefetch={false} className="link">
              {authority.name}
            </Link>
          </div>
        )}
      </>
    ),
  },
  {
    id: "address",
    head: "Address",
    from: "md",
    cell: ({ address, addresses }) => (
      <>
        <span className="mono text-ink-2">{address}</span>
        {addresses.length < 2 ? null : <div className="text-sm text-ink-3">{otherAddresses(addresses)}</div>}
      </>
    ),
  },
  { id: "tries", head: "Tries", align: "right", cell: (it) => count(it.count) },
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
  {
    id: "decide",
    head: <span className="sr-only">What can be done</span>,
    align: "right",
    from: "sm",
    cell: (it) => <RefusalActions refusal={it} />,
  },
];

/** Attempts that the door refused, counted per certificate and cause. */
export function RefusedPage() {
  const [params, setParams] = useQueryStates(refusalParams, { history: "push", scroll: false });
  const query = toListQuery(params);
  const { data, error, isPlaceholderData, refetch } = useQuery({
    queryKey: keys.refusals.list(query),
    queryFn: ({ signal }) => api.listRefusals(query, signal),
    placeholderData: keepPreviousData,
  });
  const paging = usePaging(params.cursor, (cursor) => void setParams({ cursor }));
  const empty = data !== undefined && data.total === 0 && !isPlaceholderData;
  const filtered = params.q !== "" || params.code !== "" || params.authorityId !== "";
  if (empty && !filtered) {
    return (
      <EmptyState icon={DoorClosed} title="Nobody was refused">
        Who comes to the device door and is not let in stands here with the reason, the address and how often they
        tried.
      </EmptyState>
    );
  }
  return (
    <>
      <RefusalFilters
        values={params}
        onChange={(change) => void setParams({ ...change, cursor: null }, { history: "replace" })}
      />
      {error === null ? null : <ErrorPanel what="The refusals" error={error} retry={() => void refetch()} />}
      {data === undefined && error !== null ? null : empty ? (
        <EmptyState
          icon={SearchX}
          title="No refusal matches"
          actions={<Button onClick={() => void setParams(null)}>Clear the filters</Button>}
        />
      ) : (
        <>
          <DataTable
            caption="Refused attempts"
            columns={COLUMNS}
            rows={data?.data}
            keyOf={({ id }) => id}
            refreshing={isPlaceholderData}
          />
          <Pager paging={paging} page={data} limit={TRUST_PAGE_SIZE} />
        </>
      )}
    </>
  );
}

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
import { SearchField } from "#components/ui/search-field.tsx";
import { RelativeTime } from "#components/ui/time.tsx";
import { api } from "#lib/client/api.ts";
import { count } from "#lib/client/format.ts";
import { keys } from "#lib/client/keys.ts";
import { queueParams, TRUST_PAGE_SIZE, toListQuery } from "#lib/client/trust-params.ts";
import type { Refusal } from "#lib/contracts/console/refusals.ts";
import { commonName } from "./names.ts";

const COLUMNS: readonly Column<Refusal>[] = [
  {
    id: "who",
    head: "Who",
    rowHeader: true,
    wrap: true,
    cell: ({ subject, fingerprint, sentence }) => (
      <div className="min-w-32">
        {subject === null ? <span className="text-ink-2">No readable certificate</span> : commonName(subject)}
        {fingerprint === null ? null : (
          <div className="text-sm font-normal text-ink-3">
            <Fingerprint value={fingerprint} />
          </div>
        )}
        <div className="font-normal text-ink-2 sm:hidden">{sentence}</div>
      </div>
    ),
  },
  {
    id: "why",
    head: "Why",
    grow: true,
    wrap: true,
    from: "sm",
    cell: ({ sentence, issuer, code }) => (
      <>
        {sentence}
        {issuer !== null && code === "unknown_authority" ? (
          <div className="text-sm text-ink-3">Signed by {issuer}</div>
        ) : null}
      </>
    ),
  },
  {
    id: "address",
    head: "Address",
    from: "md",
    cell: ({ address }) => <span className="mono text-ink-2">{address}</span>,
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
    cell: ({ code, fingerprint }) =>
      fingerprint === null || !DECIDABLE.has(code) ? null : (
        <Link href={`/trust/certificates/${fingerprint}`} prefetch={false} className="link">
          Look at it
        </Link>
      ),
  },
];

/** Refusals behind which a record stands about which a person can decide or has decided. */
const DECIDABLE: ReadonlySet<string> = new Set([
  "pending",
  "revoked",
  "rejected",
  "held",
  "superseded",
  "another_certificate_allowed",
]);

/** Attempts that the door refused, counted per certificate and cause. */
export function RefusedPage() {
  const [params, setParams] = useQueryStates(queueParams, { history: "push", scroll: false });
  const query = toListQuery(params);
  const { data, error, isPlaceholderData, refetch } = useQuery({
    queryKey: keys.refusals.list(query),
    queryFn: ({ signal }) => api.listRefusals(query, signal),
    placeholderData: keepPreviousData,
  });
  const paging = usePaging(params.cursor, (cursor) => void setParams({ cursor }));
  const empty = data !== undefined && data.total === 0 && !isPlaceholderData;
  if (empty && params.q === "") {
    return (
      <EmptyState icon={DoorClosed} title="Nobody was refused">
        Who comes to the device door and is not let in stands here with the reason, the address and how often they
        tried.
      </EmptyState>
    );
  }
  return (
    <>
      <div className="mb-3.5 flex gap-2">
        <SearchField
          label="Search refusals"
          placeholder="Subject, address, start of a fingerprint"
          value={params.q}
          onSearch={(q) => void setParams({ q, cursor: null }, { history: "replace" })}
        />
      </div>
      {error === null ? null : <ErrorPanel what="The refusals" error={error} retry={() => void refetch()} />}
      {data === undefined && error !== null ? null : empty ? (
        <EmptyState
          icon={SearchX}
          title="No refusal matches"
          actions={<Button onClick={() => void setParams({ q: null, cursor: null })}>Clear the search</Button>}
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

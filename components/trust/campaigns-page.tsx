"use client";

import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { ListChecks } from "lucide-react";
import Link from "next/link";
import { useQueryStates } from "nuqs";
import { ButtonLink } from "#components/ui/button.tsx";
import { type Column, DataTable } from "#components/ui/data-table.tsx";
import { EmptyState } from "#components/ui/empty-state.tsx";
import { ErrorPanel } from "#components/ui/error-panel.tsx";
import { PageHead } from "#components/ui/page.tsx";
import { Pager, usePaging } from "#components/ui/pager.tsx";
import { AbsoluteTime } from "#components/ui/time.tsx";
import { api } from "#lib/client/api.ts";
import { count } from "#lib/client/format.ts";
import { keys } from "#lib/client/keys.ts";
import { findingParams } from "#lib/client/posture-params.ts";
import { TRUST_PAGE_SIZE, toListQuery } from "#lib/client/trust-params.ts";
import type { RenewalCampaign } from "#lib/contracts/console/renewal-campaigns.ts";

const COLUMNS: readonly Column<RenewalCampaign>[] = [
  {
    id: "name",
    head: "Name",
    rowHeader: true,
    grow: true,
    cell: (it) => (
      <Link href={`/trust/campaigns/${it.id}`} prefetch={false} className="truncate py-1 hover:underline">
        {it.name}
      </Link>
    ),
  },
  { id: "due", head: "Due", cell: (it) => <AbsoluteTime at={it.dueAt} dateOnly className="num text-ink-2" /> },
  {
    id: "renewed",
    head: "Renewed",
    align: "right",
    cell: (it) => `${count(it.counts.renewed)} of ${count(it.counts.total)}`,
  },
  { id: "waiting", head: "Not yet", align: "right", from: "sm", cell: (it) => count(it.counts.waiting) },
  { id: "away", head: "Not online for 30 days", align: "right", from: "md", cell: (it) => count(it.counts.away) },
  {
    id: "closed",
    head: "Closed",
    from: "md",
    cell: (it) => (it.closedAt === null ? "—" : <AbsoluteTime at={it.closedAt} dateOnly className="num text-ink-2" />),
  },
];

export function CampaignsPage() {
  const [params, setParams] = useQueryStates(findingParams, { history: "push", scroll: false });
  const query = toListQuery(params);
  const { data, error, isPlaceholderData, refetch } = useQuery({
    queryKey: keys.certificates.campaigns(query),
    queryFn: ({ signal }) => api.listRenewalCampaigns(query, signal),
    placeholderData: keepPreviousData,
  });
  const paging = usePaging(params.cursor, (cursor) => void setParams({ cursor }));
  return (
    <>
      <PageHead
        trail={{ href: "/trust/forecast", label: "Forecast" }}
        title="Renewal campaigns"
        meta="Devices whose certificates are to be renewed by a day, and how far that is."
      />
      {error === null ? null : <ErrorPanel what="The campaigns" error={error} retry={() => void refetch()} />}
      {data === undefined && error !== null ? null : data?.total === 0 ? (
        <EmptyState
          icon={ListChecks}
          title="No renewal campaign yet"
          actions={<ButtonLink href="/trust/forecast">To the forecast</ButtonLink>}
        >
          A campaign begins at the devices of a number of the forecast, or at what a posture check found.
        </EmptyState>
      ) : (
        <>
          <DataTable
            caption="Renewal campaigns"
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

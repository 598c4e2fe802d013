"use client";

import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { SearchX } from "lucide-react";
import Link from "next/link";
import { useQueryStates } from "nuqs";
import { Button } from "#components/ui/button.tsx";
import { type Column, DataTable } from "#components/ui/data-table.tsx";
import { EmptyState } from "#components/ui/empty-state.tsx";
import { ErrorPanel } from "#components/ui/error-panel.tsx";
import { PageHead } from "#components/ui/page.tsx";
import { Pager, usePaging } from "#components/ui/pager.tsx";
import { SearchField } from "#components/ui/search-field.tsx";
import { SimulatedTag } from "#components/ui/tag.tsx";
import { AbsoluteTime, RelativeTime } from "#components/ui/time.tsx";
import { api } from "#lib/client/api.ts";
import { keys } from "#lib/client/keys.ts";
import { type ExpiringParams, expiringParams, toExpiringQuery } from "#lib/client/posture-params.ts";
import { TRUST_PAGE_SIZE } from "#lib/client/trust-params.ts";
import type { ExpiringDevice, ExpirySelection } from "#lib/contracts/console/posture.ts";
import { CampaignButton } from "./campaign-button.tsx";
import { SEEN } from "./expiry-bars.tsx";

const COLUMNS: readonly Column<ExpiringDevice>[] = [
  {
    id: "name",
    head: "Device",
    rowHeader: true,
    grow: true,
    cell: (it) => (
      <span className="flex items-center gap-2">
        <Link href={`/devices/${it.deviceUuid}`} prefetch={false} className="truncate py-1 hover:underline">
          {it.name}
        </Link>
        {it.simulated ? <SimulatedTag /> : null}
      </span>
    ),
  },
  {
    id: "until",
    head: "Valid until",
    cell: (it) => (
      <Link href={`/trust/certificates/${it.fingerprint}`} prefetch={false} className="num py-1 hover:underline">
        <AbsoluteTime at={it.notAfter} dateOnly />
      </Link>
    ),
  },
  {
    id: "authority",
    head: "Authority",
    from: "md",
    cell: (it) => <span className="block max-w-48 truncate text-ink-2">{it.authority ?? "—"}</span>,
  },
  {
    id: "seen",
    head: "Last seen",
    align: "right",
    cell: (it) => (it.lastSeenAt === null ? "never" : <RelativeTime at={it.lastSeenAt} bare className="text-ink-2" />),
  },
];

const DAY = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "long", year: "numeric", timeZone: "UTC" });

const SEEN_NAMES = ["day", "week", "month", "silent", "never"] as const;

/** The devices behind one number of the forecast. */
export function ExpiringPage() {
  const [params, setParams] = useQueryStates(expiringParams, { history: "push", scroll: false });
  const query = toExpiringQuery(params);
  const { data, error, isPlaceholderData, refetch } = useQuery({
    queryKey: keys.certificates.expiring(query),
    queryFn: ({ signal }) => api.listExpiringDevices(query, signal),
    placeholderData: keepPreviousData,
  });
  const paging = usePaging(params.cursor, (cursor) => void setParams({ cursor }));
  return (
    <>
      <PageHead
        trail={{ href: "/trust/forecast", label: "Forecast" }}
        title="Expiring certificates"
        meta={selectionText(params)}
        actions={
          params.q === "" ? (
            <CampaignButton devices={{ expiring: selectionOf(params) }} count={data?.total ?? 0} />
          ) : null
        }
      />
      <div className="mb-3.5">
        <SearchField
          label="Search devices"
          placeholder="Name"
          value={params.q}
          onSearch={(q) => void setParams({ q, cursor: null }, { history: "replace" })}
        />
      </div>
      {error === null ? null : <ErrorPanel what="The devices" error={error} retry={() => void refetch()} />}
      {data === undefined && error !== null ? null : data?.total === 0 && !isPlaceholderData ? (
        <EmptyState
          icon={SearchX}
          title="No device matches"
          actions={
            params.q === "" ? null : (
              <Button onClick={() => void setParams({ q: null, cursor: null })}>Clear the search</Button>
            )
          }
        >
          Devices leave this list when their certificate is renewed or revoked.
        </EmptyState>
      ) : (
        <>
          <DataTable
            caption="Devices by the end of their certificate"
            columns={COLUMNS}
            rows={data?.data}
            keyOf={({ fingerprint }) => fingerprint}
            refreshing={isPlaceholderData}
          />
          <Pager paging={paging} page={data} limit={TRUST_PAGE_SIZE} />
        </>
      )}
    </>
  );
}

/** What the URL says, as the campaign is told it; what it does not know is left out. */
function selectionOf({ from, until, seen, simulated }: ExpiringParams): ExpirySelection {
  const classes = SEEN_NAMES.filter((name) => seen.includes(name));
  return {
    ...(from === "" ? {} : { from }),
    ...(until === "" ? {} : { until }),
    ...(classes.length === 0 ? {} : { seen: classes }),
    ...(simulated === "true" || simulated === "false" ? { simulated } : {}),
  };
}

function selectionText({ from, until, seen }: { from: string; until: string; seen: readonly string[] }): string {
  const words = Object.entries(SEEN).filter(([name]) => seen.includes(name));
  const parts = [
    isInstant(from) ? `from ${DAY.format(Date.parse(from))}` : "",
    isInstant(until) ? `until ${DAY.format(Date.parse(until) - 1)}` : "",
    words.length === 0 ? "" : `last seen: ${words.map(([, { head }]) => head.toLowerCase()).join(", ")}`,
  ];
  return parts.filter((part) => part !== "").join(" · ") || "The first to end first";
}

function isInstant(text: string): boolean {
  return !Number.isNaN(Date.parse(text));
}

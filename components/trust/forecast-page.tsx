"use client";

import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { CalendarCheck } from "lucide-react";
import Link from "next/link";
import { useQueryStates } from "nuqs";
import { ButtonLink } from "#components/ui/button.tsx";
import { Card } from "#components/ui/card.tsx";
import { type Column, DataTable } from "#components/ui/data-table.tsx";
import { EmptyState } from "#components/ui/empty-state.tsx";
import { ErrorPanel } from "#components/ui/error-panel.tsx";
import { Checkbox } from "#components/ui/field.tsx";
import { Segmented } from "#components/ui/segmented.tsx";
import { api } from "#lib/client/api.ts";
import { count } from "#lib/client/format.ts";
import { keys } from "#lib/client/keys.ts";
import { AWAY, expiringHref, forecastParams } from "#lib/client/posture-params.ts";
import type { ExpiryBucket, Forecast, SeenClass } from "#lib/contracts/console/posture.ts";
import { ExpiryBars, SEEN } from "./expiry-bars.tsx";

const PERIODS = [
  { value: "months", label: "12 months" },
  { value: "weeks", label: "26 weeks" },
] as const;

/** When devices lose their way in, and which of them will come for a new certificate in time. */
export function ForecastPage() {
  const [{ by, simulated }, setParams] = useQueryStates(forecastParams, { history: "push", scroll: false });
  const { data, error, isPlaceholderData, refetch } = useQuery({
    queryKey: keys.certificates.forecast({ simulated }),
    queryFn: ({ signal }) => api.getForecast({ simulated }, signal),
    placeholderData: keepPreviousData,
  });
  const buckets = data?.[by];
  return (
    <div className="grid gap-4">
      <div className="flex flex-wrap items-center gap-x-4 gap-y-2.5">
        <div className="w-56">
          <Segmented label="Period" value={by} options={PERIODS} onChange={(value) => void setParams({ by: value })} />
        </div>
        <Checkbox
          label="Without simulated devices"
          checked={simulated === "false"}
          onChange={(event) => void setParams({ simulated: event.target.checked ? "false" : null })}
        />
        <div className="sm:ml-auto">
          <ButtonLink href="/trust/campaigns">Renewal campaigns</ButtonLink>
        </div>
      </div>
      {error === null ? null : <ErrorPanel what="The forecast" error={error} retry={() => void refetch()} />}
      {data === undefined && error !== null ? null : data !== undefined && isEmpty(data) ? (
        <EmptyState icon={CalendarCheck} title="No certificate in use">
          The forecast begins with the first device that is allowed in.
        </EmptyState>
      ) : (
        <>
          {data === undefined ? null : <InShort forecast={data} simulated={simulated} />}
          {buckets === undefined || buckets.every(({ total }) => total === 0) ? null : (
            <ExpiryBars
              buckets={buckets}
              label={`Certificates that end in the next ${by}, by when their device was seen`}
            />
          )}
          <DataTable
            caption="Certificates by their end and by when their device was last seen"
            columns={columnsOf(by, simulated)}
            rows={data === undefined || buckets === undefined ? undefined : [data.expired, ...buckets, data.later]}
            keyOf={({ from }) => from ?? ""}
            refreshing={isPlaceholderData}
            skeletonRows={12}
          />
        </>
      )}
    </div>
  );
}

function isEmpty({ expired, months, later }: Forecast): boolean {
  return expired.total + later.total + (months.at(-1)?.soFar.total ?? 0) === 0;
}

/** This month, and what is gone by the end of the quarter, the half and the whole year. */
function InShort({ forecast, simulated }: { forecast: Forecast; simulated: string }) {
  const told = [0, 2, 5, 11].flatMap((index) => forecast.months[index] ?? []);
  return (
    <Card title="In short">
      <ul className="grid gap-1.5">
        {told.map(({ sentence, soFar, until }) => {
          const away = soFar.seen.silent + soFar.seen.never;
          return (
            <li key={until} className="flex flex-wrap items-baseline gap-x-2.5">
              <span>{sentence}</span>
              {away === 0 ? null : (
                <Link href={expiringHref(soFar, AWAY, simulated)} className="text-sm text-accent-ink hover:underline">
                  Show {away === 1 ? "it" : `these ${count(away)}`}
                </Link>
              )}
            </li>
          );
        })}
      </ul>
    </Card>
  );
}

function columnsOf(by: "months" | "weeks", simulated: string): readonly Column<ExpiryBucket>[] {
  const number = (value: number, bucket: ExpiryBucket, seen: readonly SeenClass[]) =>
    value === 0 ? (
      <span className="px-1 text-ink-3">0</span>
    ) : (
      <Link
        href={expiringHref(bucket, seen, simulated)}
        prefetch={false}
        className="inline-block px-1 py-1 hover:underline"
      >
        {count(value)}
      </Link>
    );
  const seenColumn = (seen: SeenClass, from?: "sm"): Column<ExpiryBucket> => ({
    id: seen,
    head: SEEN[seen].head,
    align: "right",
    ...(from && { from }),
    cell: (bucket) => number(bucket.seen[seen], bucket, [seen]),
  });
  return [
    { id: "span", head: "End", rowHeader: true, grow: true, cell: (bucket) => spanText(bucket, by) },
    { id: "total", head: "Devices", align: "right", cell: (bucket) => number(bucket.total, bucket, []) },
    seenColumn("day", "sm"),
    seenColumn("week", "sm"),
    seenColumn("month", "sm"),
    seenColumn("silent"),
    seenColumn("never"),
  ];
}

const MONTH = new Intl.DateTimeFormat("en-GB", { month: "long", year: "numeric", timeZone: "UTC" });
const DAY = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric", timeZone: "UTC" });

/** In UTC, as the spans are. */
function spanText({ from, until }: ExpiryBucket, by: "months" | "weeks"): string {
  if (from === null) return "Expired";
  if (until === null) return "Later";
  return by === "months" ? MONTH.format(new Date(from)) : `Until ${DAY.format(Date.parse(until) - 1)}`;
}

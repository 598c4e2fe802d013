"use client";

import { useQuery } from "@tanstack/react-query";
import { CircleCheck } from "lucide-react";
import Link from "next/link";
import { useMe } from "#components/shell/me.tsx";
import { Card } from "#components/ui/card.tsx";
import { ErrorPanel } from "#components/ui/error-panel.tsx";
import { Columns, PageHead } from "#components/ui/page.tsx";
import { StatusBadge, UPDATE_STATE } from "#components/ui/status.tsx";
import { StateBar } from "#components/updates/state-bar.tsx";
import { api } from "#lib/client/api.ts";
import { count, plural } from "#lib/client/format.ts";
import { keys } from "#lib/client/keys.ts";
import type { Preference } from "#lib/client/preferences.ts";
import type { Overview } from "#lib/contracts/console/overview.ts";
import { AttentionList } from "./attention-list.tsx";
import { BackendsCard, FleetCard, LatestCard } from "./cards.tsx";
import { FirstSteps } from "./first-steps.tsx";

/** What needs a person now, then how the fleet is. */
export function OverviewPage({ firstSteps }: { firstSteps: Preference<"firstSteps"> }) {
  const { namespace } = useMe();
  const { data, error, refetch } = useQuery({
    queryKey: keys.overview.all,
    queryFn: ({ signal }) => api.overview(signal),
  });
  if (data === undefined) {
    return (
      <>
        <PageHead title="Overview" />
        {error === null ? null : <ErrorPanel what="The overview" error={error} retry={() => void refetch()} />}
      </>
    );
  }
  const { total, seenLastHour } = data.devices;
  return (
    <>
      <PageHead
        title="Overview"
        meta={`${plural(total, "device")} in ${namespace} · ${count(seenLastHour)} seen in the last hour`}
      />
      <Columns
        aside={
          <>
            <FleetCard devices={data.devices} />
            <BackendsCard backends={data.backends} />
            <LatestCard entries={data.latest} />
          </>
        }
      >
        <FirstSteps steps={data.firstSteps} preference={firstSteps} />
        <Card
          flush
          title="Needs a person"
          aside={data.attention.length > 0 ? <span className="text-sm text-ink-3">most urgent first</span> : null}
        >
          {data.attention.length === 0 ? (
            <p className="flex items-center gap-2 px-3.5 py-4 text-ink-2">
              <CircleCheck aria-hidden className="size-4 text-ok" />
              Nothing waits for a decision, nothing failed, every back end answers.
            </p>
          ) : (
            <AttentionList lines={data.attention} />
          )}
        </Card>
        <UpdatesCard updates={data.updates} />
      </Columns>
    </>
  );
}

function UpdatesCard({ updates }: { updates: Overview["updates"] }) {
  return (
    <Card
      flush
      title="Latest updates"
      aside={
        <Link href="/updates" className="text-sm text-ink-3 hover:text-ink">
          All updates
        </Link>
      }
    >
      {updates.length === 0 ? (
        <p className="px-3.5 py-4 text-ink-2">No update was launched yet.</p>
      ) : (
        <ul>
          {updates.map(({ id, name, state, counts }) => (
            <li
              key={id}
              className="grid grid-cols-[minmax(0,1fr)_auto] items-center gap-x-4 gap-y-1 border-b border-line px-3.5 py-2 last:border-0 sm:grid-cols-[minmax(0,1fr)_110px_minmax(0,200px)_88px]"
            >
              <Link href={`/updates/${id}`} className="truncate font-strong hover:underline">
                {name}
              </Link>
              <StatusBadge look={UPDATE_STATE[state]} />
              <StateBar counts={counts} />
              <span className="num text-right text-sm text-ink-2">
                {count(counts.updated)} of {count(counts.total)}
              </span>
            </li>
          ))}
        </ul>
      )}
    </Card>
  );
}

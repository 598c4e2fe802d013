"use client";

import { History } from "lucide-react";
import { parseAsString, useQueryState } from "nuqs";
import { Card } from "#components/ui/card.tsx";
import { EmptyState } from "#components/ui/empty-state.tsx";
import { ErrorPanel } from "#components/ui/error-panel.tsx";
import { Pager, usePaging } from "#components/ui/pager.tsx";
import { SkeletonLines } from "#components/ui/skeleton.tsx";
import { Timeline } from "#components/ui/timeline.tsx";
import { shortHex } from "#lib/client/format.ts";
import type { Activity } from "#lib/contracts/console/devices.ts";
import { toTimelineEntry } from "./activity-entry.ts";
import { useActivity } from "./queries.ts";

const PAGE_SIZE = 50;

export function ActivityTab({ uuid }: { uuid: string }) {
  const [cursor, setCursor] = useQueryState("cursor", parseAsString.withDefault(""));
  const { data, error, refetch } = useActivity(uuid, { limit: PAGE_SIZE, cursor });
  const paging = usePaging(cursor, (next) => void setCursor(next === "" ? null : next));
  if (data === undefined && error !== null)
    return <ErrorPanel what="The activity" error={error} retry={() => void refetch()} />;
  if (data === undefined) return <SkeletonLines label="Loading the activity" />;
  if (data.total === 0) {
    return (
      <EmptyState icon={History} title="Nothing has happened yet">
        Contacts, decisions, assignments, downloads, installs and reports will stand here, newest first.
      </EmptyState>
    );
  }
  return (
    <>
      <Card>
        <Timeline entries={data.data.map((entry) => ({ ...toTimelineEntry(entry), detail: detailOf(entry) }))} />
      </Card>
      <Pager paging={paging} page={data} limit={PAGE_SIZE} />
    </>
  );
}

/** The plain facts that came with it; nested ones belong to the API. */
function detailOf({ detail }: Activity): string | null {
  const facts = Object.entries(detail ?? {}).flatMap(([name, value]) => {
    if (typeof value === "number") return [`${name} ${value}`];
    if (typeof value === "string") return [`${name} ${/^[0-9a-f]{64}$/.test(value) ? shortHex(value) : value}`];
    return Array.isArray(value) && value.every((item) => typeof item === "string")
      ? [`${name} ${value.join(", ")}`]
      : [];
  });
  return facts.length === 0 ? null : facts.join(" · ");
}

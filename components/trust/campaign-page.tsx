"use client";

import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { SearchX } from "lucide-react";
import { useQueryStates } from "nuqs";
import { useState } from "react";
import { GuardedButton } from "#components/shell/me.tsx";
import { DataTable } from "#components/ui/data-table.tsx";
import { EmptyState } from "#components/ui/empty-state.tsx";
import { ErrorPanel } from "#components/ui/error-panel.tsx";
import { PageHead } from "#components/ui/page.tsx";
import { Pager, usePaging } from "#components/ui/pager.tsx";
import { Pill } from "#components/ui/status.tsx";
import { Tabs } from "#components/ui/tabs.tsx";
import { AbsoluteTime } from "#components/ui/time.tsx";
import { api } from "#lib/client/api.ts";
import { keys } from "#lib/client/keys.ts";
import { campaignParams } from "#lib/client/posture-params.ts";
import { TRUST_PAGE_SIZE, toListQuery } from "#lib/client/trust-params.ts";
import type { RenewalCampaign } from "#lib/contracts/console/renewal-campaigns.ts";
import { CAMPAIGN_COLUMNS } from "./campaign-columns.tsx";
import { CloseCampaignDialog } from "./close-campaign-dialog.tsx";

/** Who of a renewal campaign has another certificate, and who is left. */
export function CampaignPage({ id }: { id: string }) {
  const [params, setParams] = useQueryStates(campaignParams, { history: "push", scroll: false });
  const query = toListQuery(params);
  const campaign = useQuery({
    queryKey: keys.certificates.campaign(id),
    queryFn: ({ signal }) => api.getRenewalCampaign(id, signal),
  });
  const { data, error, isPlaceholderData, refetch } = useQuery({
    queryKey: keys.certificates.campaignDevices(id, query),
    queryFn: ({ signal }) => api.listCampaignDevices(id, query, signal),
    placeholderData: keepPreviousData,
  });
  const paging = usePaging(params.cursor, (cursor) => void setParams({ cursor }));
  return (
    <>
      {campaign.data === undefined ? null : <CampaignHead campaign={campaign.data} current={params} />}
      {error === null ? null : <ErrorPanel what="The devices" error={error} retry={() => void refetch()} />}
      {data === undefined && error !== null ? null : data?.total === 0 && !isPlaceholderData ? (
        <EmptyState icon={SearchX} title="No device is that far" />
      ) : (
        <>
          <DataTable
            caption="Devices of the campaign"
            columns={CAMPAIGN_COLUMNS}
            rows={data?.data}
            keyOf={({ deviceUuid }) => deviceUuid}
            refreshing={isPlaceholderData}
          />
          <Pager paging={paging} page={data} limit={TRUST_PAGE_SIZE} />
        </>
      )}
    </>
  );
}

function CampaignHead({
  campaign,
  current,
}: {
  campaign: RenewalCampaign;
  current: { progress: string; away: string };
}) {
  const { id, name, note, dueAt, createdBy, closedAt, counts } = campaign;
  const [closing, setClosing] = useState(false);
  const tab = (label: string, count: number, filter: { progress?: string; away?: string }) => ({
    href: `/trust/campaigns/${id}?${new URLSearchParams(filter)}`,
    label,
    count,
    current: current.progress === (filter.progress ?? "") && current.away === (filter.away ?? ""),
  });
  return (
    <>
      <PageHead
        trail={{ href: "/trust/campaigns", label: "Renewal campaigns" }}
        title={name}
        beside={closedAt === null ? null : <Pill tone="idle">Closed</Pill>}
        meta={
          <>
            Due <AbsoluteTime at={dueAt} dateOnly /> · begun by {createdBy}
            {note === null ? null : ` · ${note}`}
          </>
        }
        actions={
          closedAt === null ? (
            <GuardedButton permission="certificate.decide" onClick={() => setClosing(true)}>
              Close…
            </GuardedButton>
          ) : null
        }
      />
      <Tabs
        label="Devices by progress"
        tabs={[
          tab("All", counts.total, {}),
          tab("Renewed", counts.renewed, { progress: "renewed" }),
          tab("Not yet", counts.waiting, { progress: "waiting" }),
          tab("Not yet, and not online for 30 days", counts.away, { progress: "waiting", away: "true" }),
          tab("Gone", counts.gone, { progress: "gone" }),
        ]}
      />
      {closing ? <CloseCampaignDialog campaign={campaign} onClose={() => setClosing(false)} /> : null}
    </>
  );
}

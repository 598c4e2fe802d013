"use client";

import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { BellOff } from "lucide-react";
import { useQueryStates } from "nuqs";
import { Card } from "#components/ui/card.tsx";
import { EmptyState } from "#components/ui/empty-state.tsx";
import { ErrorPanel } from "#components/ui/error-panel.tsx";
import { Pager, usePaging } from "#components/ui/pager.tsx";
import { Segmented } from "#components/ui/segmented.tsx";
import { api } from "#lib/client/api.ts";
import { keys } from "#lib/client/keys.ts";
import { noticeParams } from "#lib/client/posture-params.ts";
import { TRUST_PAGE_SIZE, toListQuery } from "#lib/client/trust-params.ts";
import type { NoticeState } from "#lib/contracts/console/notices.ts";
import { NoticeLine } from "./notice-line.tsx";

const STATES = [
  { value: "open", label: "Open" },
  { value: "acknowledged", label: "Acknowledged" },
  { value: "settled", label: "Settled" },
] as const;

const EMPTY: Record<NoticeState, string> = {
  open: "No notice",
  acknowledged: "No notice is seen to",
  settled: "No notice has settled yet",
};

/** What crossed a threshold, looked for every ten minutes. */
export function NoticesPage() {
  const [params, setParams] = useQueryStates(noticeParams, { history: "push", scroll: false });
  const query = toListQuery(params);
  const { data, error, refetch } = useQuery({
    queryKey: keys.notices.list(query),
    queryFn: ({ signal }) => api.listNotices(query, signal),
    placeholderData: keepPreviousData,
  });
  const paging = usePaging(params.cursor, (cursor) => void setParams({ cursor }));
  return (
    <>
      <div className="mb-3.5 w-80 max-w-full">
        <Segmented
          label="State"
          value={params.state}
          options={STATES}
          onChange={(state) => void setParams({ state, cursor: null })}
        />
      </div>
      {error === null ? null : <ErrorPanel what="The notices" error={error} retry={() => void refetch()} />}
      {data === undefined ? null : data.total === 0 ? (
        <EmptyState icon={BellOff} title={EMPTY[params.state]}>
          Certificates and authorities that end, findings, long waits, overdue renewals, unusual refusals and late
          revocations stand here.
        </EmptyState>
      ) : (
        <>
          <Card flush>
            <ul>
              {data.data.map((notice) => (
                <NoticeLine key={notice.id} notice={notice} />
              ))}
            </ul>
          </Card>
          <Pager paging={paging} page={data} limit={TRUST_PAGE_SIZE} />
        </>
      )}
    </>
  );
}

"use client";

import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { BellOff, Check, ChevronRight, TriangleAlert } from "lucide-react";
import Link from "next/link";
import { useQueryStates } from "nuqs";
import { Card } from "#components/ui/card.tsx";
import { cx } from "#components/ui/cx.ts";
import { EmptyState } from "#components/ui/empty-state.tsx";
import { ErrorPanel } from "#components/ui/error-panel.tsx";
import { Pager, usePaging } from "#components/ui/pager.tsx";
import { Segmented } from "#components/ui/segmented.tsx";
import { RelativeTime } from "#components/ui/time.tsx";
import { api } from "#lib/client/api.ts";
import { keys } from "#lib/client/keys.ts";
import { noticeParams } from "#lib/client/posture-params.ts";
import { TRUST_PAGE_SIZE, toListQuery } from "#lib/client/trust-params.ts";
import type { Notice } from "#lib/contracts/console/notices.ts";

const STATES = [
  { value: "open", label: "Open" },
  { value: "settled", label: "Settled" },
] as const;

/** What crossed a threshold, looked for every ten minutes. */
export function NoticesPage() {
  const [params, setParams] = useQueryStates(noticeParams, { history: "push", scroll: false });
  const query = toListQuery(params);
  const { data, error, refetch } = useQuery({
    queryKey: keys.certificates.notices(query),
    queryFn: ({ signal }) => api.listNotices(query, signal),
    placeholderData: keepPreviousData,
  });
  const paging = usePaging(params.cursor, (cursor) => void setParams({ cursor }));
  return (
    <>
      <div className="mb-3.5 w-48">
        <Segmented
          label="State"
          value={params.state}
          options={STATES}
          onChange={(state) => void setParams({ state, cursor: null })}
        />
      </div>
      {error === null ? null : <ErrorPanel what="The notices" error={error} retry={() => void refetch()} />}
      {data === undefined ? null : data.total === 0 ? (
        <EmptyState icon={BellOff} title={params.state === "open" ? "No notice" : "Nothing was settled yet"}>
          Certificates and authorities that end, findings, long waits and overdue renewals stand here.
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

function NoticeLine({ notice: { tone, text, href, at, settledAt } }: { notice: Notice }) {
  const Icon = settledAt === null ? TriangleAlert : Check;
  const colour = settledAt !== null ? "text-ok" : tone === "bad" ? "text-bad" : "text-warn";
  return (
    <li className="border-b border-line last:border-0">
      <Link
        href={href}
        prefetch={false}
        className="grid grid-cols-[20px_minmax(0,1fr)_auto_16px] gap-2.5 px-3.5 py-2.5 outline-offset-[-2px] hover:bg-hover"
      >
        <Icon aria-hidden className={cx("mt-0.5 size-4", colour)} />
        <span className="min-w-0 wrap-anywhere">{text}</span>
        <span className="num text-sm leading-5 text-ink-3">
          <RelativeTime at={settledAt ?? at} bare />
        </span>
        <ChevronRight aria-hidden className="mt-0.5 size-4 text-ink-3" />
      </Link>
    </li>
  );
}

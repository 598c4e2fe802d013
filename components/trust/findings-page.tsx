"use client";

import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { ShieldCheck, Wrench } from "lucide-react";
import Link from "next/link";
import { useQueryStates } from "nuqs";
import { ButtonLink } from "#components/ui/button.tsx";
import { Callout } from "#components/ui/callout.tsx";
import { type Column, DataTable } from "#components/ui/data-table.tsx";
import { EmptyState } from "#components/ui/empty-state.tsx";
import { ErrorPanel } from "#components/ui/error-panel.tsx";
import { PageHead } from "#components/ui/page.tsx";
import { Pager, usePaging } from "#components/ui/pager.tsx";
import { RelativeTime } from "#components/ui/time.tsx";
import { api } from "#lib/client/api.ts";
import { keys } from "#lib/client/keys.ts";
import { findingParams } from "#lib/client/posture-params.ts";
import { TRUST_PAGE_SIZE, toListQuery } from "#lib/client/trust-params.ts";
import type { PostureCode, PostureFinding } from "#lib/contracts/console/posture.ts";
import { CampaignButton } from "./campaign-button.tsx";

const COLUMNS: readonly Column<PostureFinding>[] = [
  {
    id: "name",
    head: "Name",
    rowHeader: true,
    grow: true,
    cell: (it) => {
      const href = hrefOf(it);
      return href === null ? (
        <span className="truncate">{it.name}</span>
      ) : (
        <Link href={href} prefetch={false} className="truncate py-1 hover:underline">
          {it.name}
        </Link>
      );
    },
  },
  { id: "detail", head: "Found", wrap: true, cell: (it) => <span className="text-ink-2">{it.detail}</span> },
  {
    id: "authority",
    head: "Authority",
    from: "md",
    cell: (it) => <span className="block max-w-48 truncate text-ink-2">{it.authority?.name ?? "—"}</span>,
  },
  {
    id: "seen",
    head: "Last seen",
    align: "right",
    from: "sm",
    cell: (it) => (it.lastSeenAt === null ? "—" : <RelativeTime at={it.lastSeenAt} bare className="text-ink-2" />),
  },
];

/** What one check found, and what helps. */
export function FindingsPage({ code }: { code: PostureCode }) {
  const [params, setParams] = useQueryStates(findingParams, { history: "push", scroll: false });
  const query = toListQuery(params);
  const { data, error, isPlaceholderData, refetch } = useQuery({
    queryKey: keys.certificates.findings(code, query),
    queryFn: ({ signal }) => api.listPostureFindings(code, query, signal),
    placeholderData: keepPreviousData,
  });
  const posture = useQuery({
    queryKey: keys.certificates.posture,
    queryFn: ({ signal }) => api.getPosture(signal),
  });
  const check = posture.data?.checks.find((one) => one.code === code);
  const paging = usePaging(params.cursor, (cursor) => void setParams({ cursor }));
  return (
    <>
      <PageHead
        trail={{ href: "/trust/posture", label: "Posture" }}
        title={check?.title ?? "Posture"}
        meta={check?.why}
        actions={<CampaignButton devices={{ check: code }} count={check?.devices ?? 0} />}
      />
      {check === undefined ? null : (
        <div className="mb-3.5">
          <Callout
            tone="idle"
            icon={Wrench}
            title="What helps"
            action={<ButtonLink href={check.href}>Go there</ButtonLink>}
          >
            {check.fix}
          </Callout>
        </div>
      )}
      {error === null ? null : <ErrorPanel what="The findings" error={error} retry={() => void refetch()} />}
      {data === undefined && error !== null ? null : data?.total === 0 && !isPlaceholderData ? (
        <EmptyState icon={ShieldCheck} title="Nothing found">
          This check is in order.
        </EmptyState>
      ) : (
        <>
          <DataTable
            caption="What the check found"
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

/** Where the finding is decided about; null where it is of a certificate that is not known here. */
function hrefOf({ fingerprint, deviceUuid, authority }: PostureFinding): string | null {
  if (fingerprint !== null && authority === null && deviceUuid === null) return null;
  if (fingerprint !== null) return `/trust/certificates/${fingerprint}`;
  if (deviceUuid !== null) return `/devices/${deviceUuid}`;
  return "/trust/authorities";
}

"use client";

import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { CircleCheck, ListChecks, TriangleAlert } from "lucide-react";
import dynamic from "next/dynamic";
import { useQueryStates } from "nuqs";
import { useState } from "react";
import { Button } from "#components/ui/button.tsx";
import { type Column, DataTable } from "#components/ui/data-table.tsx";
import { Fingerprint } from "#components/ui/digest.tsx";
import { EmptyState } from "#components/ui/empty-state.tsx";
import { ErrorPanel } from "#components/ui/error-panel.tsx";
import { Pager, usePaging } from "#components/ui/pager.tsx";
import { AbsoluteTime, RelativeTime } from "#components/ui/time.tsx";
import { useSelection } from "#components/ui/use-selection.ts";
import { api } from "#lib/client/api.ts";
import { keys } from "#lib/client/keys.ts";
import { queueParams, TRUST_PAGE_SIZE, toWaitingQuery } from "#lib/client/trust-params.ts";
import type { Certificate } from "#lib/contracts/console/certificates.ts";
import { CertificateActions } from "./certificate-actions.tsx";
import { ClaimCell } from "./claim-cell.tsx";
import { DecideBar } from "./decide-bar.tsx";

const CompareDialog = dynamic(() => import("./compare-dialog.tsx").then((module) => module.CompareDialog));

const COLUMNS: readonly Column<Certificate>[] = [
  { id: "claim", head: "Claims to be", rowHeader: true, wrap: true, cell: (it) => <ClaimCell certificate={it} /> },
  { id: "fingerprint", head: "Fingerprint", from: "sm", cell: (it) => <Fingerprint value={it.fingerprint} /> },
  {
    id: "issuer",
    head: "Issued by",
    from: "xl",
    cell: (it) => <span className="block max-w-48 truncate text-ink-2">{it.authority?.name ?? it.issuer ?? "—"}</span>,
  },
  {
    id: "address",
    head: "Address",
    from: "md",
    cell: (it) => <span className="mono text-ink-2">{it.lastAddress ?? "—"}</span>,
  },
  { id: "known", head: "What we know", from: "lg", grow: true, wrap: true, cell: (it) => <Known certificate={it} /> },
  {
    id: "waiting",
    head: "Waiting",
    align: "right",
    from: "sm",
    cell: (it) => <RelativeTime at={it.firstSeenAt ?? it.createdAt} bare className="text-ink-2" />,
  },
  {
    id: "lapses",
    head: "Lapses",
    align: "right",
    from: "xl",
    cell: (it) => (it.lapsesAt === null ? "—" : <AbsoluteTime at={it.lapsesAt} dateOnly className="num text-ink-2" />),
  },
  {
    id: "actions",
    head: <span className="sr-only">Decide</span>,
    align: "right",
    cell: (it) => <CertificateActions certificate={it} />,
  },
];

/** Certificates that came to the door and wait for somebody to decide, latest first. */
export function WaitingPage() {
  const [params, setParams] = useQueryStates(queueParams, { history: "push", scroll: false });
  const query = toWaitingQuery(params);
  const { data, error, isPlaceholderData, refetch } = useQuery({
    queryKey: keys.certificates.list(query),
    queryFn: ({ signal }) => api.listCertificates(query, signal),
    placeholderData: keepPreviousData,
  });
  const paging = usePaging(params.cursor, (cursor) => void setParams({ cursor }));
  const selection = useSelection();
  const [comparing, setComparing] = useState(false);
  const selected = (data?.data ?? []).filter(({ fingerprint }) => selection.has(fingerprint));
  return (
    <>
      {error === null ? null : (
        <ErrorPanel what="The waiting certificates" error={error} retry={() => void refetch()} />
      )}
      {data === undefined && error !== null ? null : data !== undefined && data.total === 0 ? (
        <EmptyState icon={CircleCheck} title="Nobody waits">
          A certificate that a known authority signed and that nobody has decided about waits here, with what is known
          of it. What could not be let in at all stands under Refused.
        </EmptyState>
      ) : (
        <>
          <div className="mb-3.5 flex justify-end">
            <Button onClick={() => setComparing(true)}>
              <ListChecks aria-hidden />
              Compare with a list…
            </Button>
          </div>
          <DataTable
            caption="Waiting certificates"
            columns={COLUMNS}
            rows={data?.data}
            keyOf={({ fingerprint }) => fingerprint}
            nameOf={(it) => it.name ?? it.subject ?? it.fingerprint}
            selection={selection}
            refreshing={isPlaceholderData}
          />
          <Pager paging={paging} page={data} limit={TRUST_PAGE_SIZE} />
        </>
      )}
      <DecideBar
        certificates={selected}
        everyone={
          data !== undefined &&
          selected.length > 0 &&
          selected.length === data.data.length &&
          data.total > selected.length
            ? { matching: { state: "pending" }, count: data.total }
            : null
        }
        onDone={selection.clear}
      />
      {comparing ? <CompareDialog onClose={() => setComparing(false)} /> : null}
    </>
  );
}

function Known({ certificate }: { certificate: Certificate }) {
  if (certificate.warnings.length === 0)
    return <span className="block min-w-36 text-ink-3">A newcomer: nothing else is known of it.</span>;
  return (
    <span className="grid min-w-36">
      {certificate.warnings.map(({ code, text }) => (
        <span key={code} className="flex items-start gap-1.5 font-medium text-warn">
          <TriangleAlert aria-hidden className="mt-[3px] size-3.5 shrink-0" />
          {text}
        </span>
      ))}
    </span>
  );
}

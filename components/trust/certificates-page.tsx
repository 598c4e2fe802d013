"use client";

import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { SearchX, ShieldCheck } from "lucide-react";
import Link from "next/link";
import { useQueryStates } from "nuqs";
import { CertificateBadge } from "#components/devices/certificate-badge.tsx";
import { Button } from "#components/ui/button.tsx";
import { type Column, DataTable } from "#components/ui/data-table.tsx";
import { DensityButton } from "#components/ui/density-button.tsx";
import { Digest, Fingerprint } from "#components/ui/digest.tsx";
import { EmptyState } from "#components/ui/empty-state.tsx";
import { ErrorPanel } from "#components/ui/error-panel.tsx";
import { Select } from "#components/ui/field.tsx";
import { Pager, usePaging } from "#components/ui/pager.tsx";
import { SearchField } from "#components/ui/search-field.tsx";
import { CERTIFICATE_STATE } from "#components/ui/status.tsx";
import { SimulatedTag } from "#components/ui/tag.tsx";
import { AbsoluteTime, RelativeTime } from "#components/ui/time.tsx";
import { api } from "#lib/client/api.ts";
import { keys } from "#lib/client/keys.ts";
import { certificateParams, TRUST_PAGE_SIZE, toListQuery } from "#lib/client/trust-params.ts";
import type { Certificate } from "#lib/contracts/console/certificates.ts";
import { CertificateActions } from "./certificate-actions.tsx";
import { certificateName } from "./names.ts";

const COLUMNS: readonly Column<Certificate>[] = [
  {
    id: "name",
    head: "Name",
    rowHeader: true,
    grow: true,
    cell: (it) => (
      <span className="flex items-center gap-2">
        <Link href={`/trust/certificates/${it.fingerprint}`} prefetch={false} className="truncate py-1 hover:underline">
          {certificateName(it)}
        </Link>
        {it.simulated ? <SimulatedTag /> : null}
      </span>
    ),
  },
  { id: "state", head: "State", cell: (it) => <CertificateBadge certificate={it} /> },
  { id: "fingerprint", head: "Fingerprint", from: "sm", cell: (it) => <Fingerprint value={it.fingerprint} /> },
  {
    id: "issuer",
    head: "Issuer",
    from: "lg",
    cell: (it) => <span className="block max-w-48 truncate text-ink-2">{it.authority?.name ?? it.issuer ?? "—"}</span>,
  },
  {
    id: "serial",
    head: "Serial",
    from: "xl",
    cell: (it) => (it.serial === null ? "—" : <Digest value={it.serial} label="serial number" />),
  },
  {
    id: "until",
    head: "Valid until",
    from: "md",
    cell: (it) => (it.notAfter === null ? "—" : <AbsoluteTime at={it.notAfter} dateOnly className="num text-ink-2" />),
  },
  {
    id: "seen",
    head: "Last used",
    align: "right",
    from: "md",
    cell: (it) => (it.lastSeenAt === null ? "—" : <RelativeTime at={it.lastSeenAt} bare className="text-ink-2" />),
  },
  {
    id: "actions",
    head: <span className="sr-only">Decide</span>,
    align: "right",
    from: "sm",
    cell: (it) => <CertificateActions certificate={it} />,
  },
];

export function CertificatesPage() {
  const [params, setParams] = useQueryStates(certificateParams, { history: "push", scroll: false });
  const query = toListQuery(params);
  const { data, error, isPlaceholderData, refetch } = useQuery({
    queryKey: keys.certificates.list(query),
    queryFn: ({ signal }) => api.listCertificates(query, signal),
    placeholderData: keepPreviousData,
  });
  const paging = usePaging(params.cursor, (cursor) => void setParams({ cursor }));
  const filtered = params.q !== "" || params.state !== "";
  const empty = data !== undefined && data.total === 0 && !isPlaceholderData;
  return (
    <>
      <div className="mb-3.5 flex items-center gap-2 max-sm:flex-wrap">
        <SearchField
          label="Search certificates"
          placeholder="Name, subject, start of a fingerprint"
          value={params.q}
          onSearch={(q) => void setParams({ q, cursor: null }, { history: "replace" })}
        />
        <div className="w-44 max-sm:w-full">
          <Select
            aria-label="State"
            className="h-[34px]"
            value={params.state}
            onChange={(event) => void setParams({ state: event.target.value, cursor: null })}
          >
            <option value="">Every state</option>
            {Object.entries(CERTIFICATE_STATE).map(([state, { word }]) => (
              <option key={state} value={state}>
                {word}
              </option>
            ))}
          </Select>
        </div>
        <DensityButton />
      </div>
      {error === null ? null : <ErrorPanel what="The certificates" error={error} retry={() => void refetch()} />}
      {data === undefined && error !== null ? null : empty && filtered ? (
        <EmptyState
          icon={SearchX}
          title="No certificate matches"
          actions={
            <Button onClick={() => void setParams({ q: null, state: null, cursor: null })}>Clear filters</Button>
          }
        />
      ) : empty ? (
        <EmptyState icon={ShieldCheck} title="No certificate yet">
          Certificates stand here from the moment they are issued, allowed, or seen at the door.
        </EmptyState>
      ) : (
        <>
          <DataTable
            caption="Certificates"
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

"use client";

import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { SearchX, ShieldCheck } from "lucide-react";
import Link from "next/link";
import { useQueryStates } from "nuqs";
import { CertificateBadge } from "#components/devices/certificate-badge.tsx";
import { Button } from "#components/ui/button.tsx";
import { type Column, DataTable } from "#components/ui/data-table.tsx";
import { Digest, Fingerprint } from "#components/ui/digest.tsx";
import { EmptyState } from "#components/ui/empty-state.tsx";
import { ErrorPanel } from "#components/ui/error-panel.tsx";
import { Pager, usePaging } from "#components/ui/pager.tsx";
import { SimulatedTag } from "#components/ui/tag.tsx";
import { AbsoluteTime, RelativeTime } from "#components/ui/time.tsx";
import { useSelection } from "#components/ui/use-selection.ts";
import { api } from "#lib/client/api.ts";
import { keys } from "#lib/client/keys.ts";
import { certificateParams, TRUST_PAGE_SIZE, toListQuery } from "#lib/client/trust-params.ts";
import type { CertificateFilter } from "#lib/contracts/console/certificate-batches.ts";
import type { Certificate } from "#lib/contracts/console/certificates.ts";
import { CertificateActions } from "./certificate-actions.tsx";
import { CertificateFilters, type CertificateFilterValues } from "./certificate-filters.tsx";
import { certificateName } from "./names.ts";
import { RevokeBar } from "./revoke-bar.tsx";

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
  const filter = filterOf(params);
  const filtered = Object.keys(filter).length > 0;
  const selection = useSelection();
  const selected = (data?.data ?? []).filter(({ fingerprint }) => selection.has(fingerprint));
  const revocable = selected.filter(({ state }) => state !== "revoked" && state !== "rejected");
  // Whether all of them can be revoked is known of these filters: the number that is confirmed is then the number that matches.
  const isWhole = params.state !== "" && params.state !== "revoked" && params.state !== "rejected";
  const { total = 0, data: rows = [] } = data ?? {};
  const empty = data !== undefined && data.total === 0 && !isPlaceholderData;
  return (
    <>
      <CertificateFilters
        values={params}
        onChange={(change) => void setParams({ ...change, cursor: null }, { history: "replace" })}
      />
      {error === null ? null : <ErrorPanel what="The certificates" error={error} retry={() => void refetch()} />}
      {data === undefined && error !== null ? null : empty && filtered ? (
        <EmptyState
          icon={SearchX}
          title="No certificate matches"
          actions={<Button onClick={() => void setParams(null)}>Clear filters</Button>}
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
            nameOf={certificateName}
            selection={selection}
            refreshing={isPlaceholderData}
          />
          <Pager paging={paging} page={data} limit={TRUST_PAGE_SIZE} />
        </>
      )}
      <RevokeBar
        certificates={revocable}
        everyone={
          isWhole && rows.length > 0 && selected.length === rows.length && total > rows.length
            ? { matching: filter, count: total }
            : null
        }
        onDone={selection.clear}
      />
    </>
  );
}

/** What is set of the filters, as calls want them. */
function filterOf({ q, state, authorityId, keyType, endsBefore }: CertificateFilterValues): CertificateFilter {
  const chosen = CERTIFICATE_STATES.find((known) => known === state);
  return {
    ...(chosen === undefined ? {} : { state: chosen }),
    ...(q === "" ? {} : { q }),
    ...(authorityId === "" ? {} : { authorityId }),
    ...(keyType === "" ? {} : { keyType }),
    ...(endsBefore === "" ? {} : { endsBefore }),
  };
}

const CERTIFICATE_STATES = ["pending", "allowed", "held", "superseded", "revoked", "expired", "rejected"] as const;

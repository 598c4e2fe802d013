"use client";

import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { Landmark, Plus, SearchX, Upload } from "lucide-react";
import dynamic from "next/dynamic";
import Link from "next/link";
import { useQueryStates } from "nuqs";
import { useState } from "react";
import { GuardedButton } from "#components/shell/me.tsx";
import { Button } from "#components/ui/button.tsx";
import { type Column, DataTable } from "#components/ui/data-table.tsx";
import { Fingerprint } from "#components/ui/digest.tsx";
import { EmptyState } from "#components/ui/empty-state.tsx";
import { ErrorPanel } from "#components/ui/error-panel.tsx";
import { Pager, usePaging } from "#components/ui/pager.tsx";
import { SearchField } from "#components/ui/search-field.tsx";
import { Pill } from "#components/ui/status.tsx";
import { AbsoluteTime } from "#components/ui/time.tsx";
import { api } from "#lib/client/api.ts";
import { count } from "#lib/client/format.ts";
import { keys } from "#lib/client/keys.ts";
import { queueParams, TRUST_PAGE_SIZE, toListQuery } from "#lib/client/trust-params.ts";
import type { Authority } from "#lib/contracts/console/authorities.ts";
import { AUTHORITY_STATE, POLICIES } from "./authority-words.ts";
import { ServerCaLine } from "./server-ca-line.tsx";

const CreateAuthorityDialog = dynamic(() =>
  import("./create-authority-dialog.tsx").then((module) => module.CreateAuthorityDialog),
);
const UploadAuthorityDialog = dynamic(() =>
  import("./upload-authority-dialog.tsx").then((module) => module.UploadAuthorityDialog),
);

/** Who may sign certificates of devices. */
export function AuthoritiesPage() {
  const [params, setParams] = useQueryStates(queueParams, { history: "push", scroll: false });
  const [open, setOpen] = useState<"create" | "upload" | null>(null);
  const query = toListQuery(params);
  const { data, error, isPlaceholderData, refetch } = useQuery({
    queryKey: keys.authorities.list(query),
    queryFn: ({ signal }) => api.listAuthorities(query, signal),
    placeholderData: keepPreviousData,
  });
  const paging = usePaging(params.cursor, (cursor) => void setParams({ cursor }));
  const empty = data !== undefined && data.total === 0 && !isPlaceholderData;
  return (
    <>
      <div className="mb-3.5 flex flex-wrap gap-2">
        <div className="w-full sm:w-auto sm:flex-1">
          <SearchField
            label="Search authorities"
            placeholder="Name or subject"
            value={params.q}
            onSearch={(q) => void setParams({ q, cursor: null }, { history: "replace" })}
          />
        </div>
        <div className="flex-1" />
        <GuardedButton permission="authority.manage" onClick={() => setOpen("upload")}>
          <Upload aria-hidden />
          Upload…
        </GuardedButton>
        <GuardedButton permission="authority.manage" look="primary" onClick={() => setOpen("create")}>
          <Plus aria-hidden />
          New authority…
        </GuardedButton>
      </div>
      {error === null ? null : <ErrorPanel what="The authorities" error={error} retry={() => void refetch()} />}
      {data === undefined && error !== null ? null : empty ? (
        params.q === "" ? (
          <EmptyState icon={Landmark} title="No authority yet">
            Make one here, or upload the one that signs your devices' certificates.
          </EmptyState>
        ) : (
          <EmptyState
            icon={SearchX}
            title="No authority matches"
            actions={<Button onClick={() => void setParams({ q: null, cursor: null })}>Clear the search</Button>}
          />
        )
      ) : (
        <>
          <DataTable
            caption="Authorities"
            columns={COLUMNS}
            rows={data?.data}
            keyOf={({ id }) => id}
            refreshing={isPlaceholderData}
            skeletonRows={3}
          />
          <Pager paging={paging} page={data} limit={TRUST_PAGE_SIZE} />
        </>
      )}
      <ServerCaLine />
      {open === "create" ? <CreateAuthorityDialog onClose={() => setOpen(null)} /> : null}
      {open === "upload" ? <UploadAuthorityDialog onClose={() => setOpen(null)} /> : null}
    </>
  );
}

const COLUMNS: readonly Column<Authority>[] = [
  {
    id: "name",
    head: "Name",
    rowHeader: true,
    wrap: true,
    cell: ({ id, name, fingerprint, keyType, hasKey }) => (
      <>
        <Link href={`/trust/authorities/${id}`} prefetch={false} className="link inline-block py-1">
          {name}
        </Link>
        <div className="text-sm font-normal text-ink-3 md:min-w-72">
          <Fingerprint value={fingerprint} /> {keyType}
          {hasKey ? "" : ", recognised only"}
        </div>
      </>
    ),
  },
  {
    id: "state",
    head: "State",
    wrap: true,
    cell: ({ state, issues }) => {
      const { tone, word, hint } = AUTHORITY_STATE[state];
      return (
        <span className="flex gap-1 max-md:flex-wrap">
          <Pill tone={tone} tip={hint}>
            {word}
          </Pill>
          {issues ? (
            <Pill tone="busy" tip="New devices' certificates come from it.">
              issues
            </Pill>
          ) : null}
        </span>
      );
    },
  },
  { id: "policy", head: "Newcomers", from: "md", grow: true, wrap: true, cell: ({ rules }) => POLICIES[rules.policy] },
  { id: "allowed", head: "Allowed", align: "right", cell: ({ certificates }) => count(certificates.allowed) },
  {
    id: "waiting",
    head: "Waiting",
    align: "right",
    from: "sm",
    cell: ({ certificates }) => count(certificates.waiting),
  },
  {
    id: "until",
    head: "Valid until",
    align: "right",
    from: "md",
    cell: ({ notAfter }) => <AbsoluteTime at={notAfter} dateOnly />,
  },
];

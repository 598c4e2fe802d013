"use client";

import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { FileUp, ListChecks, SearchX } from "lucide-react";
import dynamic from "next/dynamic";
import { useQueryStates } from "nuqs";
import { useState } from "react";
import { GuardedButton } from "#components/shell/me.tsx";
import { Button } from "#components/ui/button.tsx";
import { DataTable } from "#components/ui/data-table.tsx";
import { EmptyState } from "#components/ui/empty-state.tsx";
import { ErrorPanel } from "#components/ui/error-panel.tsx";
import { Select } from "#components/ui/field.tsx";
import { Pager, usePaging } from "#components/ui/pager.tsx";
import { SearchField } from "#components/ui/search-field.tsx";
import { listAllowlist } from "#lib/client/admission.ts";
import { keys } from "#lib/client/keys.ts";
import { allowlistParams, TRUST_PAGE_SIZE, toListQuery } from "#lib/client/trust-params.ts";
import { ALLOWLIST_COLUMNS } from "./allowlist-columns.tsx";
import { GroupNames } from "./group-names.tsx";
import { KIND_WORDS } from "./names.ts";

const ImportDialog = dynamic(() =>
  import("./allowlist-import-dialog.tsx").then((module) => module.AllowlistImportDialog),
);

const USES = { unused: "Not used yet", used: "Used", expired: "Expired" };

/** What lets certificates in at their first visit. */
export function AllowlistPage() {
  const [params, setParams] = useQueryStates(allowlistParams, { history: "push", scroll: false });
  const [importing, setImporting] = useState(false);
  const query = toListQuery(params);
  const { data, error, isPlaceholderData, refetch } = useQuery({
    queryKey: keys.certificates.allowlist(query),
    queryFn: ({ signal }) => listAllowlist(query, signal),
    placeholderData: keepPreviousData,
  });
  const paging = usePaging(params.cursor, (cursor) => void setParams({ cursor }));
  const filtered = params.q !== "" || params.kind !== "" || params.use !== "";
  const empty = data !== undefined && data.total === 0 && !isPlaceholderData;
  return (
    <>
      <div className="mb-3.5 flex items-center gap-2 max-sm:flex-wrap">
        <SearchField
          label="Search the allowlist"
          placeholder="Name, hardware, note, start of a digest"
          value={params.q}
          onSearch={(q) => void setParams({ q, cursor: null }, { history: "replace" })}
        />
        <Choice
          label="Known by"
          every="Every kind"
          options={KIND_WORDS}
          value={params.kind}
          onChange={(kind) => void setParams({ kind, cursor: null })}
        />
        <Choice
          label="Use"
          every="Used or not"
          options={USES}
          value={params.use}
          onChange={(use) => void setParams({ use, cursor: null })}
        />
        <GuardedButton permission="certificate.decide" onClick={() => setImporting(true)}>
          <FileUp aria-hidden />
          Import a list…
        </GuardedButton>
      </div>
      {error === null ? null : <ErrorPanel what="The allowlist" error={error} retry={() => void refetch()} />}
      {data === undefined && error !== null ? null : empty && filtered ? (
        <EmptyState
          icon={SearchX}
          title="No entry matches"
          actions={
            <Button onClick={() => void setParams({ q: null, kind: null, use: null, cursor: null })}>
              Clear filters
            </Button>
          }
        />
      ) : empty ? (
        <EmptyState icon={ListChecks} title="The allowlist is empty">
          Certificates that are named here, by fingerprint, key, subject or serial number, come in at their first visit
          without waiting.
        </EmptyState>
      ) : (
        <GroupNames rows={data?.data}>
          <DataTable
            caption="Allowlist"
            columns={ALLOWLIST_COLUMNS}
            rows={data?.data}
            keyOf={({ id }) => id}
            refreshing={isPlaceholderData}
          />
          <Pager paging={paging} page={data} limit={TRUST_PAGE_SIZE} />
        </GroupNames>
      )}
      {importing ? <ImportDialog onClose={() => setImporting(false)} /> : null}
    </>
  );
}

type ChoiceProps = {
  label: string;
  every: string;
  options: Readonly<Record<string, string>>;
  value: string;
  onChange: (value: string) => void;
};

function Choice({ label, every, options, value, onChange }: ChoiceProps) {
  return (
    <div className="w-40 max-sm:w-full">
      <Select aria-label={label} className="h-[34px]" value={value} onChange={(event) => onChange(event.target.value)}>
        <option value="">{every}</option>
        {Object.entries(options).map(([option, words]) => (
          <option key={option} value={option}>
            {words}
          </option>
        ))}
      </Select>
    </div>
  );
}

"use client";

import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { FileText, SearchX } from "lucide-react";
import dynamic from "next/dynamic";
import Link from "next/link";
import { useQueryStates } from "nuqs";
import { useState } from "react";
import { Button } from "#components/ui/button.tsx";
import { type Column, DataTable } from "#components/ui/data-table.tsx";
import { EmptyState } from "#components/ui/empty-state.tsx";
import { ErrorPanel } from "#components/ui/error-panel.tsx";
import { Select } from "#components/ui/field.tsx";
import { PageHead } from "#components/ui/page.tsx";
import { Pager, usePaging } from "#components/ui/pager.tsx";
import { SearchField } from "#components/ui/search-field.tsx";
import { AUDIT_OUTCOME, StatusBadge } from "#components/ui/status.tsx";
import { AbsoluteTime } from "#components/ui/time.tsx";
import { api } from "#lib/client/api.ts";
import { AUDIT_PAGE_SIZE, auditParams, toAuditQuery } from "#lib/client/audit-params.ts";
import { plural } from "#lib/client/format.ts";
import { keys } from "#lib/client/keys.ts";
import type { AuditEntry } from "#lib/contracts/console/audit.ts";
import { DEEDS } from "./sentence.ts";

const EntryDialog = dynamic(() => import("./entry-dialog.tsx").then((module) => module.EntryDialog));

/** Who did what, to what, from where, and what came of it. */
export function AuditPage() {
  const [params, setParams] = useQueryStates(auditParams, { history: "push", scroll: false });
  const [shown, setShown] = useState<AuditEntry | null>(null);
  const query = toAuditQuery(params);
  const { data, error, isPlaceholderData, refetch } = useQuery({
    queryKey: keys.audit.list(query),
    queryFn: ({ signal }) => api.listAudit(query, signal),
    placeholderData: keepPreviousData,
  });
  const paging = usePaging(params.cursor, (cursor) => void setParams({ cursor }));
  const filtered = params.q !== "" || params.action !== "" || params.targetId !== "" || params.targetKind !== "";
  const empty = data !== undefined && data.total === 0 && !isPlaceholderData;
  const clear = () => void setParams({ q: null, action: null, targetKind: null, targetId: null, cursor: null });
  return (
    <>
      <PageHead
        title="Audit"
        meta={
          data === undefined ? (
            <span className="skeleton inline-block h-3 w-28" />
          ) : (
            <>
              {plural(data.total, "entry", "entries")}
              {filtered ? " match" : ""} · hash-chained, verified by{" "}
              <code className="mono">gatehouse audit verify</code>
            </>
          )
        }
      />
      <div className="mb-3.5 flex flex-wrap gap-2">
        <SearchField
          label="Search the audit log"
          placeholder="Who, what, or the beginning of an id"
          value={params.q}
          onSearch={(q) => void setParams({ q, cursor: null }, { history: "replace" })}
        />
        <Select
          aria-label="Action"
          className="h-[34px] w-auto!"
          value={params.action}
          onChange={(event) => void setParams({ action: event.target.value, cursor: null })}
        >
          <option value="">All actions</option>
          {Object.keys(DEEDS).map((action) => (
            <option key={action} value={action}>
              {action}
            </option>
          ))}
        </Select>
        {params.targetId === "" ? null : (
          <Button onClick={() => void setParams({ targetId: null, targetKind: null, cursor: null })}>
            Show everything, not one {params.targetKind || "thing"}
          </Button>
        )}
      </div>
      {error !== null ? (
        <ErrorPanel what="The audit log" error={error} retry={() => void refetch()} />
      ) : empty ? (
        <EmptyState
          icon={filtered ? SearchX : FileText}
          title={filtered ? "No entry matches" : "No entry yet"}
          actions={filtered ? <Button onClick={clear}>Clear the filter</Button> : null}
        />
      ) : (
        <>
          <DataTable
            caption="Audit entries"
            columns={columns(setShown)}
            rows={data?.data}
            keyOf={({ sequence }) => sequence}
            refreshing={isPlaceholderData}
          />
          <Pager paging={paging} page={data} limit={AUDIT_PAGE_SIZE} />
        </>
      )}
      {shown === null ? null : <EntryDialog entry={shown} onClose={() => setShown(null)} />}
    </>
  );
}

function columns(show: (entry: AuditEntry) => void): readonly Column<AuditEntry>[] {
  return [
    { id: "at", head: "When", cell: ({ at }) => <AbsoluteTime at={at} className="text-ink-2" />, from: "sm" },
    {
      id: "who",
      head: "Who did what",
      rowHeader: true,
      grow: true,
      wrap: true,
      cell: (entry) => (
        <>
          {entry.actor.name} <span className="font-normal text-ink-2">{DEEDS[entry.action]}</span>{" "}
          <TargetLink entry={entry} />
          <div className="text-sm font-normal text-ink-3 sm:hidden">
            <AbsoluteTime at={entry.at} />
          </div>
        </>
      ),
    },
    { id: "outcome", head: "Outcome", cell: ({ outcome }) => <StatusBadge look={AUDIT_OUTCOME[outcome]} /> },
    {
      id: "address",
      head: "From",
      from: "lg",
      cell: ({ address }) => <span className="mono text-ink-2">{address ?? "—"}</span>,
    },
    {
      id: "more",
      head: <span className="sr-only">Details</span>,
      align: "right",
      cell: (entry) => (
        <Button size="sm" look="quiet" aria-label={`Details of entry ${entry.sequence}`} onClick={() => show(entry)}>
          Details
        </Button>
      ),
    },
  ];
}

function TargetLink({ entry }: { entry: AuditEntry }) {
  const { kind, id, name } = entry.target;
  if (kind === "session" || kind === "install") return null;
  const text = name ?? (id.length > 20 ? `${id.slice(0, 8)}…` : id);
  const href = hrefOf(kind, id);
  if (href === null || entry.action.endsWith(".delete")) return <>{text}</>;
  return (
    <Link href={href} prefetch={false} className="hover:underline">
      {text}
    </Link>
  );
}

function hrefOf(kind: AuditEntry["target"]["kind"], id: string): string | null {
  if (kind === "device") return `/devices/${id}`;
  if (kind === "certificate") return `/trust/certificates/${id}`;
  if (kind === "renewal_campaign") return `/trust/campaigns/${id}`;
  if (kind === "image") return `/images/${encodeURIComponent(id)}`;
  return kind === "update" ? `/updates/${id}` : null;
}

"use client";

import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { KeyRound, Plus } from "lucide-react";
import dynamic from "next/dynamic";
import { useQueryStates } from "nuqs";
import { useState } from "react";
import { GuardedButton, useCan } from "#components/shell/me.tsx";
import { revokeColumn } from "#components/ui/columns.tsx";
import { type Column, DataTable } from "#components/ui/data-table.tsx";
import { EmptyState } from "#components/ui/empty-state.tsx";
import { ErrorPanel } from "#components/ui/error-panel.tsx";
import { Pager, usePaging } from "#components/ui/pager.tsx";
import { api } from "#lib/client/api.ts";
import { keys } from "#lib/client/keys.ts";
import { enrolmentParams, TOKENS_PAGE_SIZE, toTokensQuery } from "#lib/client/trust-params.ts";
import type { EnrolmentToken } from "#lib/contracts/console/enrolment.ts";
import { GroupNames } from "./group-names.tsx";
import { Expected, handoutColumns } from "./handout-columns.tsx";

const CreateTokenDialog = dynamic(() => import("./create-token-dialog.tsx").then((module) => module.CreateTokenDialog));
const RevokeTokenDialog = dynamic(() => import("./revoke-token-dialog.tsx").then((module) => module.RevokeTokenDialog));

/** The secrets with which devices ask for their first certificate. */
export function EnrolmentTokens() {
  const mayManage = useCan("enrolment.manage");
  const [params, setParams] = useQueryStates(enrolmentParams, { history: "push", scroll: false });
  const [creating, setCreating] = useState(false);
  const [revoking, setRevoking] = useState<EnrolmentToken | null>(null);
  const query = toTokensQuery(params);
  const { data, error, isPlaceholderData, refetch } = useQuery({
    queryKey: keys.certificates.tokens(query),
    queryFn: ({ signal }) => api.listEnrolmentTokens(query, signal),
    placeholderData: keepPreviousData,
  });
  const paging = usePaging(params.tokens, (tokens) => void setParams({ tokens }));
  const create = (
    <GuardedButton permission="enrolment.manage" look="primary" onClick={() => setCreating(true)}>
      <Plus aria-hidden />
      New token…
    </GuardedButton>
  );
  return (
    <>
      {error === null ? null : <ErrorPanel what="The tokens" error={error} retry={() => void refetch()} />}
      {data === undefined && error !== null ? null : data?.total === 0 ? (
        <EmptyState icon={KeyRound} title="No enrolment token yet" actions={create}>
          Its command, typed or scanned on a bare device, makes a key there and fetches the certificate for it.
        </EmptyState>
      ) : (
        <GroupNames rows={data?.data}>
          <div className="mb-3.5 flex justify-end">{create}</div>
          <DataTable
            caption="Enrolment tokens"
            columns={
              mayManage
                ? [...COLUMNS, revokeColumn<EnrolmentToken>(({ description }) => description, setRevoking)]
                : COLUMNS
            }
            rows={data?.data}
            keyOf={({ id }) => id}
            refreshing={isPlaceholderData}
            skeletonRows={3}
          />
          <Pager paging={paging} page={data} limit={TOKENS_PAGE_SIZE} />
        </GroupNames>
      )}
      {creating ? <CreateTokenDialog onClose={() => setCreating(false)} /> : null}
      {revoking === null ? null : <RevokeTokenDialog token={revoking} onClose={() => setRevoking(null)} />}
    </>
  );
}

const COLUMNS: readonly Column<EnrolmentToken>[] = [
  {
    id: "description",
    head: "Description",
    rowHeader: true,
    grow: true,
    wrap: true,
    cell: ({ description, createdBy, groupId, hardwareId }) => (
      <>
        {description}
        <div className="text-sm font-normal text-ink-3">
          by {createdBy}
          <Expected groupId={groupId} hardwareId={hardwareId} />
        </div>
      </>
    ),
  },
  ...handoutColumns("Enrolled"),
];

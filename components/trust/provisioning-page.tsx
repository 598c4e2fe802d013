"use client";

import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { PackageOpen, Plus, SearchX } from "lucide-react";
import dynamic from "next/dynamic";
import { useQueryStates } from "nuqs";
import { useState } from "react";
import { GuardedButton, useCan } from "#components/shell/me.tsx";
import { Button } from "#components/ui/button.tsx";
import { revokeColumn } from "#components/ui/columns.tsx";
import { type Column, DataTable } from "#components/ui/data-table.tsx";
import { Fingerprint } from "#components/ui/digest.tsx";
import { EmptyState } from "#components/ui/empty-state.tsx";
import { ErrorPanel } from "#components/ui/error-panel.tsx";
import { Pager, usePaging } from "#components/ui/pager.tsx";
import { SearchField } from "#components/ui/search-field.tsx";
import { api } from "#lib/client/api.ts";
import { keys } from "#lib/client/keys.ts";
import { queueParams, TRUST_PAGE_SIZE, toListQuery } from "#lib/client/trust-params.ts";
import type { ProvisioningCredential } from "#lib/contracts/console/credentials.ts";
import { GroupNames } from "./group-names.tsx";
import { Expected, handoutColumns } from "./handout-columns.tsx";

const CreateProvisioningDialog = dynamic(() =>
  import("./create-provisioning-dialog.tsx").then((module) => module.CreateProvisioningDialog),
);
const RevokeProvisioningDialog = dynamic(() =>
  import("./revoke-provisioning-dialog.tsx").then((module) => module.RevokeProvisioningDialog),
);

/** Shared certificates with which devices register themselves. */
export function ProvisioningPage() {
  const mayManage = useCan("credential.manage");
  const [params, setParams] = useQueryStates(queueParams, { history: "push", scroll: false });
  const [creating, setCreating] = useState(false);
  const [revoking, setRevoking] = useState<ProvisioningCredential | null>(null);
  const query = toListQuery(params);
  const { data, error, isPlaceholderData, refetch } = useQuery({
    queryKey: keys.certificates.provisioning(query),
    queryFn: ({ signal }) => api.listProvisioningCredentials(query, signal),
    placeholderData: keepPreviousData,
  });
  const paging = usePaging(params.cursor, (cursor) => void setParams({ cursor }));
  const empty = data !== undefined && data.total === 0 && !isPlaceholderData;
  const create = (
    <GuardedButton permission="credential.manage" look="primary" onClick={() => setCreating(true)}>
      <Plus aria-hidden />
      New credential…
    </GuardedButton>
  );
  return (
    <>
      {empty && params.q === "" ? (
        <EmptyState icon={PackageOpen} title="No provisioning credential yet" actions={create}>
          Put one into an image, and each device that starts from it registers itself: as many as you say, for as long
          as you say.
        </EmptyState>
      ) : (
        <>
          <div className="mb-3.5 flex flex-wrap gap-2">
            <div className="w-full sm:w-auto sm:flex-1">
              <SearchField
                label="Search credentials"
                placeholder="Description"
                value={params.q}
                onSearch={(q) => void setParams({ q, cursor: null }, { history: "replace" })}
              />
            </div>
            <div className="flex-1" />
            {create}
          </div>
          {error === null ? null : <ErrorPanel what="The credentials" error={error} retry={() => void refetch()} />}
          {data === undefined && error !== null ? null : empty ? (
            <EmptyState
              icon={SearchX}
              title="No credential matches"
              actions={<Button onClick={() => void setParams({ q: null, cursor: null })}>Clear the search</Button>}
            />
          ) : (
            <GroupNames rows={data?.data}>
              <DataTable
                caption="Provisioning credentials"
                columns={
                  mayManage
                    ? [...COLUMNS, revokeColumn<ProvisioningCredential>(({ description }) => description, setRevoking)]
                    : COLUMNS
                }
                rows={data?.data}
                keyOf={({ id }) => id}
                refreshing={isPlaceholderData}
                skeletonRows={4}
              />
              <Pager paging={paging} page={data} limit={TRUST_PAGE_SIZE} />
            </GroupNames>
          )}
        </>
      )}
      {creating ? <CreateProvisioningDialog onClose={() => setCreating(false)} /> : null}
      {revoking === null ? null : <RevokeProvisioningDialog credential={revoking} onClose={() => setRevoking(null)} />}
    </>
  );
}

const COLUMNS: readonly Column<ProvisioningCredential>[] = [
  {
    id: "description",
    head: "Description",
    rowHeader: true,
    grow: true,
    wrap: true,
    cell: ({ description, fingerprint, createdBy, groupId, hardwareId }) => (
      <>
        {description}
        <div className="text-sm font-normal text-ink-3">
          <Fingerprint value={fingerprint} /> by {createdBy}
          <Expected groupId={groupId} hardwareId={hardwareId} />
        </div>
      </>
    ),
  },
  ...handoutColumns("Registered"),
];

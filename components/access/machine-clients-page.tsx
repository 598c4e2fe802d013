"use client";

import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { Cpu, Plus } from "lucide-react";
import dynamic from "next/dynamic";
import { parseAsString, useQueryState, useQueryStates } from "nuqs";
import { useState } from "react";
import { GuardedButton, useCan } from "#components/shell/me.tsx";
import { useNow } from "#components/ui/clock.tsx";
import type { Column } from "#components/ui/data-table.tsx";
import { EmptyState } from "#components/ui/empty-state.tsx";
import { usePaging } from "#components/ui/pager.tsx";
import { accessParams, toAccessQuery } from "#lib/client/access-params.ts";
import { api } from "#lib/client/api.ts";
import { keys } from "#lib/client/keys.ts";
import type { MachineClient } from "#lib/contracts/console/machine-clients.ts";
import { AccessHead } from "./access-head.tsx";
import { AccessList } from "./access-list.tsx";
import { lifeColumns } from "./columns.tsx";
import { SCOPE_TEXT } from "./scopes.ts";

const CreateDialog = dynamic(() =>
  import("./create-machine-client-dialog.tsx").then((module) => module.CreateMachineClientDialog),
);
const RevokeDialog = dynamic(() =>
  import("./revoke-machine-client-dialog.tsx").then((module) => module.RevokeMachineClientDialog),
);

/** Who comes through the tools door. */
export function MachineClientsPage() {
  const may = useCan("token.manage");
  const now = useNow();
  const [params, setParams] = useQueryStates(accessParams, { history: "push", scroll: false });
  const [open, setOpen] = useQueryState("open", parseAsString.withDefault(""));
  const [revoking, setRevoking] = useState<MachineClient | null>(null);
  const query = toAccessQuery(params);
  const list = useQuery({
    queryKey: keys.machineClients.list(query),
    queryFn: ({ signal }) => api.listMachineClients(query, signal),
    placeholderData: keepPreviousData,
    enabled: may,
  });
  const paging = usePaging(params.cursor, (cursor) => void setParams({ cursor }));
  const create = (
    <GuardedButton permission="token.manage" look="primary" onClick={() => void setOpen("new")}>
      <Plus aria-hidden />
      New machine client
    </GuardedButton>
  );
  return (
    <>
      <AccessHead actions={create} />
      {!may ? (
        <EmptyState icon={Cpu} title="Machine clients are for who manages tokens">
          Build tools come through the tools door as machine clients. Your role does not see them.
        </EmptyState>
      ) : (
        <AccessList
          caption="Machine clients"
          list={list}
          columns={columns(now, setRevoking)}
          paging={paging}
          empty={
            <EmptyState icon={Cpu} title="No machine client yet" actions={create}>
              Build tools push OSTree commits and sign images as a machine client, with the scopes you give it.
            </EmptyState>
          }
        />
      )}
      {open === "new" ? <CreateDialog onClose={() => void setOpen(null)} /> : null}
      {revoking === null ? null : <RevokeDialog client={revoking} onClose={() => setRevoking(null)} />}
    </>
  );
}

function columns(now: number, revoke: (client: MachineClient) => void): readonly Column<MachineClient>[] {
  return [
    {
      id: "name",
      head: "Name",
      rowHeader: true,
      grow: true,
      wrap: true,
      cell: ({ name, clientId, certificateFingerprint, sourceNetworks }) => (
        <>
          {name}
          <div className="text-sm font-normal text-ink-2">
            <span className="mono">{clientId}</span>
            {certificateFingerprint === null ? "" : " · with a certificate"}
            {sourceNetworks.length === 0 ? "" : ` · from ${sourceNetworks.join(", ")}`}
          </div>
        </>
      ),
    },
    {
      id: "scopes",
      head: "Scopes",
      wrap: true,
      cell: ({ scopes }) =>
        scopes.map((scope) => (
          <span key={scope} className="mono mr-2 inline-block text-sm" data-tip={SCOPE_TEXT[scope]}>
            {scope}
          </span>
        )),
    },
    ...lifeColumns(now, revoke),
  ];
}

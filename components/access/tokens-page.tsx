"use client";

import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { KeyRound, Plus } from "lucide-react";
import dynamic from "next/dynamic";
import { parseAsString, useQueryState, useQueryStates } from "nuqs";
import { useState } from "react";
import { useCan, useMe } from "#components/shell/me.tsx";
import { Button } from "#components/ui/button.tsx";
import { useNow } from "#components/ui/clock.tsx";
import type { Column } from "#components/ui/data-table.tsx";
import { EmptyState } from "#components/ui/empty-state.tsx";
import { usePaging } from "#components/ui/pager.tsx";
import { accessParams, toAccessQuery } from "#lib/client/access-params.ts";
import { api } from "#lib/client/api.ts";
import { keys } from "#lib/client/keys.ts";
import type { ApiToken } from "#lib/contracts/console/accounts.ts";
import { AccessHead } from "./access-head.tsx";
import { AccessList } from "./access-list.tsx";
import { lifeColumns } from "./columns.tsx";
import { ROLE_TEXT } from "./roles.ts";

const CreateTokenDialog = dynamic(() => import("./create-token-dialog.tsx").then((module) => module.CreateTokenDialog));
const RevokeTokenDialog = dynamic(() => import("./revoke-token-dialog.tsx").then((module) => module.RevokeTokenDialog));

/** Tokens that scripts use: one's own, and for those who manage tokens all of them. */
export function TokensPage() {
  const all = useCan("token.manage");
  const { kind } = useMe();
  const now = useNow();
  const [params, setParams] = useQueryStates(accessParams, { history: "push", scroll: false });
  const [open, setOpen] = useQueryState("open", parseAsString.withDefault(""));
  const [revoking, setRevoking] = useState<ApiToken | null>(null);
  const query = toAccessQuery(params);
  const list = useQuery({
    queryKey: keys.tokens.list(query),
    queryFn: ({ signal }) => api.listTokens(query, signal),
    placeholderData: keepPreviousData,
  });
  const paging = usePaging(params.cursor, (cursor) => void setParams({ cursor }));
  const create = (
    <Button look="primary" disabled={kind !== "user"} onClick={() => void setOpen("new")}>
      <Plus aria-hidden />
      New token
    </Button>
  );
  return (
    <>
      <AccessHead actions={create} />
      <AccessList
        caption="Tokens"
        list={list}
        columns={columns(now, setRevoking)}
        paging={paging}
        empty={
          <EmptyState icon={KeyRound} title="No token yet" actions={create}>
            A token lets a script use the API with a role, until it expires or is revoked.{" "}
            {all ? "" : "You see your own here."}
          </EmptyState>
        }
      />
      {open === "new" ? <CreateTokenDialog onClose={() => void setOpen(null)} /> : null}
      {revoking === null ? null : <RevokeTokenDialog token={revoking} onClose={() => setRevoking(null)} />}
    </>
  );
}

function columns(now: number, revoke: (token: ApiToken) => void): readonly Column<ApiToken>[] {
  return [
    {
      id: "name",
      head: "Name",
      rowHeader: true,
      grow: true,
      wrap: true,
      cell: ({ name, kind, owner, hint }) => (
        <>
          {name} <span className="mono font-normal text-ink-3">…{hint}</span>
          <div className="text-sm font-normal text-ink-2">
            {kind === "personal" ? `personal, of ${owner ?? "a deleted user"}` : "service token"}
          </div>
        </>
      ),
    },
    { id: "role", head: "Role", cell: ({ role }) => <span data-tip={ROLE_TEXT[role]}>{role}</span> },
    ...lifeColumns(now, revoke),
  ];
}

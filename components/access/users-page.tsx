"use client";

import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { Plus } from "lucide-react";
import dynamic from "next/dynamic";
import { parseAsString, useQueryState, useQueryStates } from "nuqs";
import { useState } from "react";
import { GuardedButton, useMe } from "#components/shell/me.tsx";
import { LAST_USED } from "#components/ui/columns.tsx";
import { type Column, DataTable } from "#components/ui/data-table.tsx";
import { ErrorPanel } from "#components/ui/error-panel.tsx";
import { Pager, usePaging } from "#components/ui/pager.tsx";
import { SearchField } from "#components/ui/search-field.tsx";
import { Pill } from "#components/ui/status.tsx";
import { ACCESS_PAGE_SIZE, accessParams, toAccessQuery } from "#lib/client/access-params.ts";
import { api } from "#lib/client/api.ts";
import { plural } from "#lib/client/format.ts";
import { keys } from "#lib/client/keys.ts";
import type { User } from "#lib/contracts/console/accounts.ts";
import { AccessHead } from "./access-head.tsx";
import { ROLE_TEXT } from "./roles.ts";

const CreateUserDialog = dynamic(() => import("./create-user-dialog.tsx").then((module) => module.CreateUserDialog));
const UserDialog = dynamic(() => import("./user-dialog.tsx").then((module) => module.UserDialog));

export function UsersPage() {
  const me = useMe();
  const [params, setParams] = useQueryStates(accessParams, { history: "push", scroll: false });
  const [open, setOpen] = useQueryState("open", parseAsString.withDefault(""));
  const [shown, setShown] = useState<string | null>(null);
  const query = toAccessQuery(params);
  const { data, error, isPlaceholderData, refetch } = useQuery({
    queryKey: keys.users.list(query),
    queryFn: ({ signal }) => api.listUsers(query, signal),
    placeholderData: keepPreviousData,
  });
  const paging = usePaging(params.cursor, (cursor) => void setParams({ cursor }));
  const user = data?.data.find(({ id }) => id === shown);
  return (
    <>
      <AccessHead
        actions={
          <GuardedButton permission="account.manage" look="primary" onClick={() => void setOpen("new")}>
            <Plus aria-hidden />
            New user
          </GuardedButton>
        }
      />
      {error !== null ? (
        <ErrorPanel what="The list of users" error={error} retry={() => void refetch()} />
      ) : (
        <>
          <div className="mb-3.5 flex gap-2">
            <SearchField
              label="Search users"
              placeholder="Name or e-mail"
              value={params.q}
              onSearch={(q) => void setParams({ q, cursor: null }, { history: "replace" })}
            />
          </div>
          <DataTable
            caption="Users"
            columns={columns(me.id, setShown)}
            rows={data?.data}
            keyOf={({ id }) => id}
            refreshing={isPlaceholderData}
            skeletonRows={4}
          />
          {data !== undefined && data.data.length === 0 ? (
            <p className="py-8 text-center text-ink-2">No user matches.</p>
          ) : null}
          <Pager paging={paging} page={data} limit={ACCESS_PAGE_SIZE} />
        </>
      )}
      {open === "new" ? <CreateUserDialog onClose={() => void setOpen(null)} /> : null}
      {user === undefined ? null : <UserDialog user={user} onClose={() => setShown(null)} />}
    </>
  );
}

function columns(myId: string, show: (id: string) => void): readonly Column<User>[] {
  return [
    {
      id: "name",
      head: "Name",
      rowHeader: true,
      grow: true,
      wrap: true,
      cell: ({ id, name, email, disabled }) => (
        <>
          <span className="flex flex-wrap items-center gap-2">
            {name}
            {id === myId ? <span className="text-sm font-normal text-ink-3">you</span> : null}
            {disabled ? <Pill tone="idle">disabled</Pill> : null}
          </span>
          <span className="text-sm font-normal text-ink-2">{email}</span>
        </>
      ),
    },
    { id: "role", head: "Role", cell: ({ role }) => <span data-tip={ROLE_TEXT[role]}>{role}</span> },
    {
      id: "sessions",
      head: "Signed in",
      from: "sm",
      cell: ({ sessions }) =>
        sessions === 0 ? <span className="text-ink-3">nowhere</span> : plural(sessions, "session"),
    },
    { ...LAST_USED, from: "md" },
    {
      id: "change",
      head: <span className="sr-only">Change</span>,
      align: "right",
      cell: ({ id, name }) => (
        <GuardedButton
          permission="account.manage"
          size="sm"
          look="quiet"
          aria-label={`Change ${name}`}
          onClick={() => show(id)}
        >
          Change…
        </GuardedButton>
      ),
    },
  ];
}

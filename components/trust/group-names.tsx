"use client";

import { useQuery } from "@tanstack/react-query";
import { createContext, type ReactNode, useContext } from "react";
import { api } from "#lib/client/api.ts";
import { keys } from "#lib/client/keys.ts";

const Names = createContext<{ byId: ReadonlyMap<string, string>; isKnown: boolean }>({
  byId: new Map(),
  isKnown: false,
});

type GroupNamesProps = { rows: readonly { groupId: string | null }[] | undefined; children: ReactNode };

/** Finds out, in one request, what the groups of a page's rows are called. */
export function GroupNames({ rows = [], children }: GroupNamesProps) {
  const ids = [...new Set(rows.flatMap(({ groupId }) => groupId ?? []))].sort();
  const { data } = useQuery({
    queryKey: keys.deviceGroups.names(ids),
    queryFn: ({ signal }) => api.nameDeviceGroups(ids, signal),
    enabled: ids.length > 0,
  });
  const byId = new Map(data?.data.map(({ id, name }) => [id, name]));
  return <Names value={{ byId, isKnown: data !== undefined }}>{children}</Names>;
}

/** The name of a group in a row below `GroupNames`. */
export function GroupName({ id }: { id: string }) {
  const { byId, isKnown } = useContext(Names);
  const name = byId.get(id);
  if (name !== undefined) return name;
  return <span data-tip={id}>{isKnown ? "a group that is gone" : "a group"}</span>;
}

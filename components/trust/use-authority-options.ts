"use client";

import { useQuery } from "@tanstack/react-query";
import { api } from "#lib/client/api.ts";
import { keys } from "#lib/client/keys.ts";
import type { Authority } from "#lib/contracts/console/authorities.ts";

const ALL = { limit: 200 };

/** The authorities to choose from; none while they are on their way. */
export function useAuthorityOptions(): readonly Pick<Authority, "id" | "name" | "state" | "hasKey">[] {
  const { data } = useQuery({
    queryKey: keys.authorities.list(ALL),
    queryFn: ({ signal }) => api.listAuthorities(ALL, signal),
  });
  return data?.data ?? [];
}

"use client";

import { useQuery } from "@tanstack/react-query";
import { api } from "#lib/client/api.ts";
import { keys } from "#lib/client/keys.ts";
import type { BackendCapability, BackendSummary } from "#lib/contracts/console/back-ends.ts";

/** What it means for a person that a back end lacks something; null when it has it, or nobody knows. */
export function useLack(backend: BackendSummary["id"], capability: BackendCapability["name"]): string | null {
  const { data } = useQuery({
    queryKey: keys.backends.one(backend),
    queryFn: ({ signal }) => api.getBackend(backend, signal),
  });
  return data?.capabilities?.find(({ name }) => name === capability)?.reason ?? null;
}

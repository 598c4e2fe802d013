import { HydrationBoundary } from "@tanstack/react-query";
import type { Metadata } from "next";
import { createLoader, type SearchParams } from "nuqs/server";
import { MachineClientsPage } from "#components/access/machine-clients-page.tsx";
import { accessParams } from "#lib/client/access-params.ts";
import { prefetchMachineClients } from "#lib/data/access.ts";

export const metadata: Metadata = { title: "Machine clients" };

const loadParams = createLoader(accessParams);

export default async function Page({ searchParams }: { searchParams: Promise<SearchParams> }) {
  return (
    <HydrationBoundary state={await prefetchMachineClients(await loadParams(searchParams))}>
      <MachineClientsPage />
    </HydrationBoundary>
  );
}

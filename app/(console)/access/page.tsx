import { HydrationBoundary } from "@tanstack/react-query";
import type { Metadata } from "next";
import { createLoader, type SearchParams } from "nuqs/server";
import { UsersPage } from "#components/access/users-page.tsx";
import { accessParams } from "#lib/client/access-params.ts";
import { prefetchUsers } from "#lib/data/access.ts";

export const metadata: Metadata = { title: "Access" };

const loadParams = createLoader(accessParams);

export default async function Page({ searchParams }: { searchParams: Promise<SearchParams> }) {
  return (
    <HydrationBoundary state={await prefetchUsers(await loadParams(searchParams))}>
      <UsersPage />
    </HydrationBoundary>
  );
}

import { HydrationBoundary } from "@tanstack/react-query";
import type { Metadata } from "next";
import { createLoader, type SearchParams } from "nuqs/server";
import { AuditPage } from "#components/audit/audit-page.tsx";
import { auditParams } from "#lib/client/audit-params.ts";
import { prefetchAudit } from "#lib/data/audit.ts";

export const metadata: Metadata = { title: "Audit" };

const loadParams = createLoader(auditParams);

export default async function Page({ searchParams }: { searchParams: Promise<SearchParams> }) {
  return (
    <HydrationBoundary state={await prefetchAudit(await loadParams(searchParams))}>
      <AuditPage />
    </HydrationBoundary>
  );
}

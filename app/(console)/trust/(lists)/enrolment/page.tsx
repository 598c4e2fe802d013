import { HydrationBoundary } from "@tanstack/react-query";
import type { Metadata } from "next";
import { createLoader, type SearchParams } from "nuqs/server";
import { EnrolmentPage } from "#components/trust/enrolment-page.tsx";
import { enrolmentParams, toListQuery, toTokensQuery } from "#lib/client/trust-params.ts";
import { prefetchEnrolment } from "#lib/data/trust.ts";

export const metadata: Metadata = { title: "Enrolment" };

const loadParams = createLoader(enrolmentParams);

export default async function Page({ searchParams }: { searchParams: Promise<SearchParams> }) {
  const { q, cursor, tokens } = await loadParams(searchParams);
  return (
    <HydrationBoundary state={await prefetchEnrolment(toListQuery({ q, cursor }), toTokensQuery({ tokens }))}>
      <EnrolmentPage />
    </HydrationBoundary>
  );
}

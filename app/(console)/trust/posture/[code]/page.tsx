import { HydrationBoundary } from "@tanstack/react-query";
import type { Metadata } from "next";
import { notFound } from "next/navigation";
import { createLoader, type SearchParams } from "nuqs/server";
import { FindingsPage } from "#components/trust/findings-page.tsx";
import { findingParams } from "#lib/client/posture-params.ts";
import { toListQuery } from "#lib/client/trust-params.ts";
import { PostureCode } from "#lib/contracts/console/posture.ts";
import { prefetchFindings } from "#lib/data/posture.ts";

type Props = { params: Promise<{ code: string }>; searchParams: Promise<SearchParams> };

export const metadata: Metadata = { title: "Posture" };

const loadParams = createLoader(findingParams);

export default async function Page({ params, searchParams }: Props) {
  const code = PostureCode.safeParse((await params).code);
  if (!code.success) notFound();
  const query = toListQuery(await loadParams(searchParams));
  return (
    <HydrationBoundary state={await prefetchFindings(code.data, query)}>
      <FindingsPage code={code.data} />
    </HydrationBoundary>
  );
}

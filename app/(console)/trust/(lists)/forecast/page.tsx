import { HydrationBoundary } from "@tanstack/react-query";
import type { Metadata } from "next";
import { createLoader, type SearchParams } from "nuqs/server";
import { ForecastPage } from "#components/trust/forecast-page.tsx";
import { forecastParams } from "#lib/client/posture-params.ts";
import { prefetchForecast } from "#lib/data/posture.ts";

export const metadata: Metadata = { title: "Forecast" };

const loadParams = createLoader(forecastParams);

export default async function Page({ searchParams }: { searchParams: Promise<SearchParams> }) {
  const { simulated } = await loadParams(searchParams);
  return (
    <HydrationBoundary state={await prefetchForecast({ simulated })}>
      <ForecastPage />
    </HydrationBoundary>
  );
}

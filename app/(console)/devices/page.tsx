import { HydrationBoundary } from "@tanstack/react-query";
import type { Metadata } from "next";
import { createLoader, type SearchParams } from "nuqs/server";
import { DevicesPage } from "#components/devices/devices-page.tsx";
import { deviceParams } from "#lib/client/device-params.ts";
import { prefetchDevices } from "#lib/data/devices.ts";
import { readSimulationAllowed } from "#lib/data/simulations.ts";

export const metadata: Metadata = { title: "Devices" };

const loadParams = createLoader(deviceParams);

export default async function Page({ searchParams }: { searchParams: Promise<SearchParams> }) {
  const params = await loadParams(searchParams);
  const [state, simulations] = await Promise.all([prefetchDevices(params), readSimulationAllowed()]);
  return (
    <HydrationBoundary state={state}>
      <DevicesPage simulations={simulations} />
    </HydrationBoundary>
  );
}

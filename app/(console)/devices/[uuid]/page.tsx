import { HydrationBoundary } from "@tanstack/react-query";
import type { Metadata } from "next";
import { notFound } from "next/navigation";
import { DevicePage } from "#components/devices/device-page.tsx";
import { findDevice, prefetchDevice } from "#lib/data/devices.ts";

type Props = { params: Promise<{ uuid: string }> };

export async function generateMetadata({ params }: Props): Promise<Metadata> {
  const device = await findDevice((await params).uuid);
  return { title: device === null ? "Not found" : device.name };
}

export default async function Page({ params }: Props) {
  const device = await findDevice((await params).uuid);
  if (device === null) notFound();
  return (
    <HydrationBoundary state={await prefetchDevice(device)}>
      <DevicePage uuid={device.uuid} />
    </HydrationBoundary>
  );
}

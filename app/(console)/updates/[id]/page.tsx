import { HydrationBoundary } from "@tanstack/react-query";
import type { Metadata } from "next";
import { notFound } from "next/navigation";
import { createLoader, type SearchParams } from "nuqs/server";
import { UpdatePage } from "#components/updates/update-page.tsx";
import { updateDeviceParams } from "#lib/client/update-params.ts";
import { findUpdate, prefetchUpdate } from "#lib/data/updates.ts";

type Props = { params: Promise<{ id: string }>; searchParams: Promise<SearchParams> };

const loadParams = createLoader(updateDeviceParams);

export async function generateMetadata({ params }: Props): Promise<Metadata> {
  const update = await findUpdate((await params).id);
  return { title: update === null ? "Not found" : update.name };
}

export default async function Page({ params, searchParams }: Props) {
  const update = await findUpdate((await params).id);
  if (update === null) notFound();
  return (
    <HydrationBoundary state={await prefetchUpdate(update, await loadParams(searchParams))}>
      <UpdatePage id={update.id} />
    </HydrationBoundary>
  );
}

import { HydrationBoundary } from "@tanstack/react-query";
import type { Metadata } from "next";
import { createLoader, type SearchParams } from "nuqs/server";
import { ImagesPage } from "#components/images/images-page.tsx";
import { imageParams } from "#lib/client/image-params.ts";
import { prefetchImages } from "#lib/data/images.ts";

export const metadata: Metadata = { title: "Images" };

const loadParams = createLoader(imageParams);

export default async function Page({ searchParams }: { searchParams: Promise<SearchParams> }) {
  return (
    <HydrationBoundary state={await prefetchImages(await loadParams(searchParams))}>
      <ImagesPage />
    </HydrationBoundary>
  );
}

import { HydrationBoundary } from "@tanstack/react-query";
import type { Metadata } from "next";
import { notFound } from "next/navigation";
import { ImagePage } from "#components/images/image-page.tsx";
import { findImage, prefetchImage } from "#lib/data/images.ts";

type Props = { params: Promise<{ filename: string }> };

export async function generateMetadata({ params }: Props): Promise<Metadata> {
  const filename = await readFilename(params);
  return { title: filename ?? "Not found" };
}

export default async function Page({ params }: Props) {
  const filename = await readFilename(params);
  const image = filename === null ? null : await findImage(filename);
  if (filename === null || image === null) notFound();
  const page = <ImagePage filename={filename} />;
  if (image === undefined) return page;
  return <HydrationBoundary state={await prefetchImage(image)}>{page}</HydrationBoundary>;
}

/** A file name may hold a slash, which the address carries encoded. */
async function readFilename(params: Props["params"]): Promise<string | null> {
  try {
    return decodeURIComponent((await params).filename);
  } catch {
    return null; // not percent-encoded text
  }
}

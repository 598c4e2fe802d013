import { HydrationBoundary } from "@tanstack/react-query";
import type { Metadata } from "next";
import { PosturePage } from "#components/trust/posture-page.tsx";
import { prefetchPosture } from "#lib/data/posture.ts";

export const metadata: Metadata = { title: "Posture" };

export default async function Page() {
  return (
    <HydrationBoundary state={await prefetchPosture()}>
      <PosturePage />
    </HydrationBoundary>
  );
}

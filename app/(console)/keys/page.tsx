import { HydrationBoundary } from "@tanstack/react-query";
import type { Metadata } from "next";
import { KeysPage } from "#components/keys/keys-page.tsx";
import { prefetchKeys } from "#lib/data/keys.ts";

export const metadata: Metadata = { title: "Keys" };

export default async function Page() {
  return (
    <HydrationBoundary state={await prefetchKeys()}>
      <KeysPage />
    </HydrationBoundary>
  );
}

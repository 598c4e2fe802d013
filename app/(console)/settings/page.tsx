import { HydrationBoundary } from "@tanstack/react-query";
import type { Metadata } from "next";
import { SettingsPage } from "#components/settings/settings-page.tsx";
import { prefetchSettings } from "#lib/data/settings.ts";

export const metadata: Metadata = { title: "Settings" };

export default async function Page() {
  return (
    <HydrationBoundary state={await prefetchSettings()}>
      <SettingsPage />
    </HydrationBoundary>
  );
}

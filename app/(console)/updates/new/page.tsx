import type { Metadata } from "next";
import { NewUpdatePage } from "#components/updates/new-update-page.tsx";

export const metadata: Metadata = { title: "New update" };

export default function Page() {
  return <NewUpdatePage />;
}

import type { Metadata } from "next";
import { MenderLogPage } from "#components/mender/mender-log-page.tsx";

export const metadata: Metadata = { title: "Mender log" };

export default function Page() {
  return <MenderLogPage />;
}

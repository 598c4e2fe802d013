import type { Metadata } from "next";
import { ApiReference } from "#components/docs/api-reference.tsx";
import { readApiReference } from "#lib/data/api-reference.ts";

export const metadata: Metadata = { title: "API" };

export default async function Page() {
  return <ApiReference groups={await readApiReference()} />;
}

import { HydrationBoundary } from "@tanstack/react-query";
import type { Metadata } from "next";
import { notFound } from "next/navigation";
import { AuthorityPage } from "#components/trust/authority-page.tsx";
import { findAuthority, prefetchAuthority } from "#lib/data/authorities.ts";

type Props = { params: Promise<{ id: string }> };

export const metadata: Metadata = { title: "Authority" };

export default async function Page({ params }: Props) {
  const authority = await findAuthority((await params).id);
  if (authority === null) notFound();
  return (
    <HydrationBoundary state={await prefetchAuthority(authority)}>
      <AuthorityPage id={authority.id} />
    </HydrationBoundary>
  );
}

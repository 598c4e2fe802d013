import { HydrationBoundary } from "@tanstack/react-query";
import type { Metadata } from "next";
import { notFound } from "next/navigation";
import { CertificatePage } from "#components/trust/certificate-page.tsx";
import { findCertificate, prefetchCertificate } from "#lib/data/trust.ts";

type Props = { params: Promise<{ fingerprint: string }> };

export const metadata: Metadata = { title: "Certificate" };

export default async function Page({ params }: Props) {
  const certificate = await findCertificate((await params).fingerprint);
  if (certificate === null) notFound();
  return (
    <HydrationBoundary state={await prefetchCertificate(certificate)}>
      <CertificatePage fingerprint={certificate.fingerprint} />
    </HydrationBoundary>
  );
}

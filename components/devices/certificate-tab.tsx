"use client";

import { ShieldQuestionMark } from "lucide-react";
import { CertificatePanel } from "#components/trust/certificate-panel.tsx";
import { EmptyState } from "#components/ui/empty-state.tsx";
import { ErrorPanel } from "#components/ui/error-panel.tsx";
import { SkeletonLines } from "#components/ui/skeleton.tsx";
import { useDeviceCertificates } from "./queries.ts";

/** Every certificate this device ever came with, and what was decided about each. */
export function CertificateTab({ uuid }: { uuid: string }) {
  const { data, error, refetch } = useDeviceCertificates(uuid);
  if (data === undefined && error !== null)
    return <ErrorPanel what="The certificates" error={error} retry={() => void refetch()} />;
  if (data === undefined) return <SkeletonLines label="Loading the certificates" />;
  if (data.data.length === 0) {
    return (
      <EmptyState icon={ShieldQuestionMark} title="No certificate is known">
        The certificate it shows at the door will stand here, with what was decided about it.
      </EmptyState>
    );
  }
  return (
    <div className="grid gap-4">
      {data.data.map((certificate) => (
        <CertificatePanel key={certificate.fingerprint} certificate={certificate} />
      ))}
    </div>
  );
}

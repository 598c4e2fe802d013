"use client";

import { useQuery } from "@tanstack/react-query";
import { ErrorPanel } from "#components/ui/error-panel.tsx";
import { PageHead } from "#components/ui/page.tsx";
import { api } from "#lib/client/api.ts";
import { colonHex } from "#lib/client/format.ts";
import { keys } from "#lib/client/keys.ts";
import { CertificateHistory } from "./certificate-history.tsx";
import { CertificatePanel } from "./certificate-panel.tsx";
import { InForcePanel } from "./in-force.tsx";
import { certificateName } from "./names.ts";

export function CertificatePage({ fingerprint }: { fingerprint: string }) {
  const { data, error, refetch } = useQuery({
    queryKey: keys.certificates.one(fingerprint),
    queryFn: ({ signal }) => api.getCertificate(fingerprint, signal),
  });
  if (data === undefined) {
    return error === null ? null : <ErrorPanel what="This certificate" error={error} retry={() => void refetch()} />;
  }
  return (
    <>
      <PageHead
        trail={{ href: "/trust/certificates", label: "Certificates" }}
        title={certificateName(data)}
        meta={<span className="mono">{colonHex(fingerprint)}</span>}
      />
      <div className="grid max-w-3xl gap-4">
        <CertificatePanel certificate={data} />
        <InForcePanel fingerprint={fingerprint} />
        <CertificateHistory certificate={data} />
      </div>
    </>
  );
}

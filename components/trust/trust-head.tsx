"use client";

import { useQuery } from "@tanstack/react-query";
import { ListPlus } from "lucide-react";
import dynamic from "next/dynamic";
import { usePathname } from "next/navigation";
import { useState } from "react";
import { GuardedButton } from "#components/shell/me.tsx";
import { PageHead } from "#components/ui/page.tsx";
import { Tabs } from "#components/ui/tabs.tsx";
import { api } from "#lib/client/api.ts";
import { keys, PENDING_COUNT } from "#lib/client/keys.ts";

const AllowDialog = dynamic(() => import("./allow-dialog.tsx").then((module) => module.AllowDialog));

const ONE = { limit: 1 };

export function TrustHead() {
  const pathname = usePathname();
  const [allowing, setAllowing] = useState(false);
  const pending = useQuery({
    queryKey: keys.certificates.list(PENDING_COUNT),
    queryFn: ({ signal }) => api.listCertificates(PENDING_COUNT, signal),
  });
  const certificates = useQuery({
    queryKey: keys.certificates.list(ONE),
    queryFn: ({ signal }) => api.listCertificates(ONE, signal),
  });
  const refusals = useQuery({
    queryKey: keys.refusals.list(ONE),
    queryFn: ({ signal }) => api.listRefusals(ONE, signal),
  });
  const tab = (href: string, label: string, count: number | undefined) => ({
    href,
    label,
    current: pathname === href,
    count,
  });
  return (
    <>
      <PageHead
        title="Trust"
        meta="Who may come through the door. Decisions are in force at every gateway within a second."
        actions={
          <GuardedButton permission="certificate.decide" onClick={() => setAllowing(true)}>
            <ListPlus aria-hidden />
            Allow a certificate…
          </GuardedButton>
        }
      />
      <Tabs
        label="Parts of Trust"
        tabs={[
          tab("/trust", "Waiting", pending.data?.total),
          tab("/trust/certificates", "Certificates", certificates.data?.total),
          tab("/trust/allowlist", "Allowlist", undefined),
          tab("/trust/refused", "Refused", refusals.data?.total),
          tab("/trust/authorities", "Authorities", undefined),
          tab("/trust/enrolment", "Enrolment", undefined),
          tab("/trust/forecast", "Forecast", undefined),
          tab("/trust/posture", "Posture", undefined),
          tab("/trust/notices", "Notices", undefined),
        ]}
      />
      {allowing ? <AllowDialog onClose={() => setAllowing(false)} /> : null}
    </>
  );
}

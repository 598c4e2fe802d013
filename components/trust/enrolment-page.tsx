"use client";

import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { Card, Facts } from "#components/ui/card.tsx";
import { CodeLine } from "#components/ui/code-line.tsx";
import { Fingerprint } from "#components/ui/digest.tsx";
import { ErrorPanel } from "#components/ui/error-panel.tsx";
import { api } from "#lib/client/api.ts";
import { keys } from "#lib/client/keys.ts";
import { EnrolmentTokens } from "./enrolment-tokens.tsx";
import { ProvisioningPage } from "./provisioning-page.tsx";

/** How devices come to their certificates by themselves. */
export function EnrolmentPage() {
  return (
    <div className="grid gap-8">
      <Part
        title="Enrolment tokens"
        about="A device with openssl and curl makes its own key and asks for its certificate."
      >
        <EnrolmentTokens />
      </Part>
      <Part title="Shared provisioning credentials" about="For aktualizr: one file in the image of many devices.">
        <ProvisioningPage />
      </Part>
      <Part title="EST address" about="Where devices enrol with a token and renew with their certificate (RFC 7030).">
        <EstPanel />
      </Part>
    </div>
  );
}

function Part({ title, about, children }: { title: string; about: string; children: ReactNode }) {
  return (
    <section aria-label={title}>
      <h2>{title}</h2>
      <p className="mb-3 text-ink-2">{about}</p>
      {children}
    </section>
  );
}

function EstPanel() {
  const { data, error, refetch } = useQuery({
    queryKey: keys.certificates.est,
    queryFn: ({ signal }) => api.getEstAddress(signal),
  });
  if (data === undefined) {
    return error === null ? null : <ErrorPanel what="The address" error={error} retry={() => void refetch()} />;
  }
  return (
    <Card>
      <Facts
        rows={[
          ["Address", <CodeLine key="url" label="Address" code={data.url} />],
          ["Server CA", <Fingerprint key="ca" value={data.serverCaSha256} />],
          ["Enrol", "POST simpleenroll, with a token by HTTP Basic or Bearer"],
          ["Renew", "POST simplereenroll, over TLS with the present certificate; the device and its name stay"],
        ]}
      />
    </Card>
  );
}

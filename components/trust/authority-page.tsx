"use client";

import { useQuery } from "@tanstack/react-query";
import { Download } from "lucide-react";
import { Card, Facts } from "#components/ui/card.tsx";
import { Fingerprint } from "#components/ui/digest.tsx";
import { ErrorPanel } from "#components/ui/error-panel.tsx";
import { PageHead } from "#components/ui/page.tsx";
import { Pill } from "#components/ui/status.tsx";
import { AbsoluteTime } from "#components/ui/time.tsx";
import { api } from "#lib/client/api.ts";
import { colonHex, plural } from "#lib/client/format.ts";
import { keys } from "#lib/client/keys.ts";
import type { Authority } from "#lib/contracts/console/authorities.ts";
import { reasonInWords } from "#lib/domain/revocation-reasons.ts";
import { AuthorityActions } from "./authority-actions.tsx";
import { AuthorityProof } from "./authority-proof.tsx";
import { AuthorityPublication } from "./authority-publication.tsx";
import { AuthorityRulesCard } from "./authority-rules-card.tsx";
import { AUTHORITY_STATE } from "./authority-words.ts";
import { InForcePanel } from "./in-force.tsx";
import { ValidityBar } from "./validity-bar.tsx";

/** One authority: what it is, what it asks, whom it touches, and what can be done with it. */
export function AuthorityPage({ id }: { id: string }) {
  const { data, error, refetch } = useQuery({
    queryKey: keys.authorities.one(id),
    queryFn: ({ signal }) => api.getAuthority(id, signal),
  });
  if (data === undefined) {
    return error === null ? null : <ErrorPanel what="This authority" error={error} retry={() => void refetch()} />;
  }
  const { tone, word, hint } = AUTHORITY_STATE[data.state];
  return (
    <>
      <PageHead
        trail={{ href: "/trust/authorities", label: "Authorities" }}
        title={data.name}
        beside={
          <>
            <Pill tone={tone} tip={hint}>
              {word}
            </Pill>
            {data.issues ? (
              <Pill tone="busy" tip="New devices' certificates come from it.">
                issues new certificates
              </Pill>
            ) : null}
          </>
        }
        meta={<span className="mono">{colonHex(data.fingerprint)}</span>}
        actions={<AuthorityActions authority={data} />}
      />
      <div className="grid max-w-3xl gap-4">
        {data.state === "unproved" ? <AuthorityProof authority={data} /> : null}
        <AboutCard authority={data} />
        <AuthorityRulesCard authority={data} />
        {data.state === "unproved" ? null : <InForcePanel authorityId={data.id} />}
        <AuthorityPublication authority={data} />
      </div>
    </>
  );
}

function AboutCard({ authority: it }: { authority: Authority }) {
  const { allowed, waiting, seenLately } = it.certificates;
  return (
    <Card
      title="The authority"
      aside={
        <a
          className="link inline-flex items-center gap-1"
          href={`/api/v1/authorities/${it.id}/certificate.pem`}
          download
        >
          <Download aria-hidden className="size-3.5" />
          Certificate
        </a>
      }
    >
      <div className="grid gap-3.5">
        <Facts
          rows={[
            [
              "Subject",
              <span key="subject" className="mono">
                {it.subject}
              </span>,
            ],
            ["Fingerprint", <Fingerprint key="fingerprint" value={it.fingerprint} />],
            ["Key", `${it.keyType}, ${it.hasKey ? "kept here, sealed" : "not here: it is recognised only"}`],
            ["Origin", it.origin === "created" ? "made here" : "uploaded"],
            ["Above it", it.chain.length === 0 ? null : it.chain.map(({ subject }) => subject).join("; then ")],
            [
              "Certificates",
              `${plural(allowed, "certificate")} allowed, ${seenLately} of them seen in the last 15 minutes; ${waiting} waiting`,
            ],
            [
              "Decided",
              it.stateChangedAt === null ? null : (
                <>
                  <AbsoluteTime at={it.stateChangedAt} />
                  {it.stateChangedBy === null ? "" : ` by ${it.stateChangedBy}`}
                </>
              ),
            ],
            ["Reason", it.revocationReason === null ? null : reasonInWords(it.revocationReason)],
            ["Note", it.rules.note],
          ]}
        />
        <ValidityBar
          certificate={{
            state: it.state === "revoked" ? "revoked" : "allowed",
            notBefore: it.notBefore,
            notAfter: it.notAfter,
          }}
        />
      </div>
    </Card>
  );
}

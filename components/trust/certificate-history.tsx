"use client";

import { History } from "lucide-react";
import { DEEDS } from "#components/audit/sentence.ts";
import { Card, Facts } from "#components/ui/card.tsx";
import { Fingerprint } from "#components/ui/digest.tsx";
import { AbsoluteTime, RelativeTime } from "#components/ui/time.tsx";
import { Timeline } from "#components/ui/timeline.tsx";
import type { CertificateDetail } from "#lib/contracts/console/certificates.ts";

/** Every decision about a certificate, with its reason, and where it was used from. */
export function CertificateHistory({ certificate }: { certificate: CertificateDetail }) {
  const { decisions, addresses, admittedAt } = certificate;
  return (
    <>
      <Card title="Decisions">
        {decisions.length === 0 ? (
          <p className="text-ink-3">Nobody has decided about it yet.</p>
        ) : (
          <Timeline
            entries={decisions.map(({ at, by, action, outcome, why }, index) => ({
              id: `${at} ${index}`,
              at,
              icon: History,
              text: `${by} ${wordsFor(action)} this device${outcome === "done" ? "" : ` (${outcome})`}`,
              detail: (
                <>
                  <AbsoluteTime at={at} />
                  {why === null ? "" : ": "}
                  {why === null ? null : <WithFingerprints text={why} />}
                </>
              ),
            }))}
          />
        )}
      </Card>
      <Card title="Used from">
        <Facts
          rows={[
            ["First let in", admittedAt === null ? "not yet" : <AbsoluteTime key="admitted" at={admittedAt} />],
            ...addresses.map(({ address, firstAt, lastAt }): [React.ReactNode, React.ReactNode] => [
              <span key="address" className="mono">
                {address}
              </span>,
              <span key="times">
                <RelativeTime at={lastAt} />, first <AbsoluteTime at={firstAt} />
              </span>,
            ]),
          ]}
        />
      </Card>
    </>
  );
}

/** Fingerprints in a sentence are short, and copied by a click, as everywhere. */
function WithFingerprints({ text }: { text: string }) {
  return text
    .split(/\b([0-9a-f]{64})\b/)
    .map((part, index) => (index % 2 === 0 ? part : <Fingerprint key={part} value={part} />));
}

function wordsFor(action: string): string {
  return Object.entries(DEEDS).find(([known]) => known === action)?.[1] ?? action;
}

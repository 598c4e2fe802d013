"use client";

import { TriangleAlert } from "lucide-react";
import Link from "next/link";
import { CertificateBadge } from "#components/devices/certificate-badge.tsx";
import { Callout } from "#components/ui/callout.tsx";
import { Card, Facts } from "#components/ui/card.tsx";
import { Digest, Fingerprint } from "#components/ui/digest.tsx";
import { SimulatedTag } from "#components/ui/tag.tsx";
import { AbsoluteTime, RelativeTime } from "#components/ui/time.tsx";
import type { Certificate } from "#lib/contracts/console/certificates.ts";
import { reasonInWords } from "#lib/domain/revocation-reasons.ts";
import { CertificateActions } from "./certificate-actions.tsx";
import { ValidityBar } from "./validity-bar.tsx";

/** Everything known about one certificate, and what can be decided about it. */
export function CertificatePanel({ certificate }: { certificate: Certificate }) {
  return (
    <Card
      title={
        <span className="flex items-center gap-2">
          <CertificateBadge certificate={certificate} />
          {certificate.simulated ? <SimulatedTag /> : null}
        </span>
      }
      aside={<CertificateActions certificate={certificate} />}
    >
      <div className="grid gap-3.5">
        {certificate.warnings.map(({ code, text }) => (
          <Callout key={code} tone="warn" icon={TriangleAlert} title={text} />
        ))}
        <Facts rows={[...identityRows(certificate), ...historyRows(certificate)]} />
        <ValidityBar certificate={certificate} />
      </div>
    </Card>
  );
}

type Rows = Parameters<typeof Facts>[0]["rows"];

function identityRows(it: Certificate): Rows {
  const mono = (text: string | null) => (text === null ? null : <span className="mono">{text}</span>);
  return [
    ["Fingerprint", <Fingerprint key="fingerprint" value={it.fingerprint} />],
    [
      "Device",
      it.deviceUuid === null ? null : (
        <Link key="device" href={`/devices/${it.deviceUuid}`} className="link">
          {it.name ?? it.deviceUuid}
        </Link>
      ),
    ],
    ["Subject", mono(it.subject)],
    ["Issuer", it.authority === null ? mono(it.issuer) : `${it.authority.name}${it.issuedHere ? ", issued here" : ""}`],
    ["Serial", it.serial === null ? null : <Digest key="serial" value={it.serial} label="serial number" />],
    ["Key", it.keyType],
    ["Hardware", it.hardwareId],
  ];
}

function historyRows(it: Certificate): Rows {
  const decided =
    it.decidedAt === null ? null : (
      <>
        <AbsoluteTime at={it.decidedAt} />
        {it.decidedBy === null ? "" : ` by ${it.decidedBy}`}
      </>
    );
  const seen =
    it.lastSeenAt === null ? null : (
      <>
        <RelativeTime at={it.lastSeenAt} />
        {it.lastAddress === null ? null : (
          <>
            {" "}
            from <span className="mono">{it.lastAddress}</span>
          </>
        )}
      </>
    );
  return [
    ["First seen", it.firstSeenAt === null ? "not yet" : <AbsoluteTime key="first" at={it.firstSeenAt} />],
    ["Last seen", seen],
    ["Decided", decided],
    ["Good until", it.graceUntil === null ? null : <AbsoluteTime key="grace" at={it.graceUntil} />],
    ["Lapses", it.lapsesAt === null ? null : <AbsoluteTime key="lapses" at={it.lapsesAt} />],
    ["Reason", it.revocationReason === null ? null : reasonInWords(it.revocationReason)],
    ["Note", it.note],
  ];
}

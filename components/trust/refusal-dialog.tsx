"use client";

import { useQuery } from "@tanstack/react-query";
import Link from "next/link";
import { Button } from "#components/ui/button.tsx";
import { Facts } from "#components/ui/card.tsx";
import { CodeLine } from "#components/ui/code-line.tsx";
import { Dialog } from "#components/ui/dialog.tsx";
import { Digest, Fingerprint } from "#components/ui/digest.tsx";
import { ErrorPanel } from "#components/ui/error-panel.tsx";
import { AbsoluteTime } from "#components/ui/time.tsx";
import { api } from "#lib/client/api.ts";
import { count } from "#lib/client/format.ts";
import { keys } from "#lib/client/keys.ts";
import type { Refusal, RefusedCertificate } from "#lib/contracts/console/refusals.ts";
import { MOST_REFUSAL_ADDRESSES, wordsOf } from "#lib/domain/refusals.ts";
import { commonName } from "./names.ts";

/** Everything about one refused attempt, and what its certificate says of itself. */
export function RefusalDialog({ refusal, onClose }: { refusal: Refusal; onClose: () => void }) {
  const { data, error, refetch } = useQuery({
    queryKey: keys.refusals.one(refusal.id),
    queryFn: ({ signal }) => api.getRefusal(refusal.id, signal),
  });
  const certificate = data?.certificate ?? null;
  const words = wordsOf(refusal.code);
  return (
    <Dialog
      title={refusal.subject === null ? "Refused at the door" : commonName(refusal.subject)}
      description={words === null ? refusal.sentence : `${words.meaning} ${words.mend}`}
      width="lg"
      onClose={onClose}
      footer={<Button onClick={onClose}>Close</Button>}
    >
      <div className="grid gap-3.5">
        {error === null ? null : <ErrorPanel what="This attempt" error={error} retry={() => void refetch()} />}
        <Facts rows={[...attemptRows(refusal), ...(certificate === null ? [] : certificateRows(certificate))]} />
        {certificate === null ? null : <CodeLine label="certificate" code={certificate.pem} />}
      </div>
    </Dialog>
  );
}

type Rows = Parameters<typeof Facts>[0]["rows"];

function attemptRows(it: Refusal): Rows {
  return [
    [
      "Code",
      <span key="code" className="mono">
        {it.code}
      </span>,
    ],
    ["Told the device", it.sentence],
    ["Detail", it.detail],
    ["Fingerprint", it.fingerprint === null ? null : <Fingerprint key="fingerprint" value={it.fingerprint} />],
    ["Subject", mono(it.subject)],
    ["Issuer", mono(it.issuer)],
    [
      "Authority",
      it.authority === null ? null : (
        <Link key="authority" href={`/trust/authorities/${it.authority.id}`} className="link">
          {it.authority.name}
        </Link>
      ),
    ],
    ["Last address", mono(it.address)],
    ["Others before", it.addresses.length < 2 ? null : mono(othersOf(it.addresses))],
    ["Tries", count(it.count)],
    ["First", <AbsoluteTime key="first" at={it.firstAt} />],
    ["Last", <AbsoluteTime key="last" at={it.lastAt} />],
  ];
}

function certificateRows(it: RefusedCertificate): Rows {
  return [
    ["Valid from", <AbsoluteTime key="from" at={it.notBefore} />],
    ["Valid until", <AbsoluteTime key="until" at={it.notAfter} />],
    ["Serial", <Digest key="serial" value={it.serial} label="serial number" />],
    ["Key", it.keyType],
    ["Key digest", <Digest key="spki" value={it.spkiSha256} label="SHA-256 of the public key" />],
    ["Signed with", it.signatureHash],
    ["Kind", it.isCa ? "An authority's certificate" : null],
    ["Key usage", it.keyUsage?.join(", ") ?? null],
    ["Extended key usage", it.extendedKeyUsage?.join(", ") ?? null],
    ["Alternative names", it.alternativeNames.length === 0 ? null : it.alternativeNames.join(", ")],
  ];
}

function othersOf([, ...others]: readonly string[]): string {
  const rest = others.length < MOST_REFUSAL_ADDRESSES - 1 ? "" : ", and maybe more";
  return `${others.join(", ")}${rest}`;
}

function mono(text: string | null) {
  return text === null ? null : <span className="mono wrap-anywhere">{text}</span>;
}

"use client";

import Link from "next/link";
import { Fingerprint } from "#components/ui/digest.tsx";
import { SimulatedTag } from "#components/ui/tag.tsx";
import { RelativeTime } from "#components/ui/time.tsx";
import type { Certificate } from "#lib/contracts/console/certificates.ts";
import { certificateName } from "./names.ts";

/** The name, and on narrow screens all that one must see before approving. */
export function ClaimCell({ certificate }: { certificate: Certificate }) {
  const { fingerprint, warnings, firstSeenAt, createdAt, lastAddress, authority, issuer } = certificate;
  return (
    <div className="min-w-0">
      <Link
        href={`/trust/certificates/${fingerprint}`}
        prefetch={false}
        className="hover:underline sm:whitespace-nowrap"
      >
        {certificateName(certificate)}
      </Link>{" "}
      {certificate.simulated ? <SimulatedTag /> : null}
      <div className="grid gap-0.5 text-sm font-normal text-ink-3 sm:hidden">
        <Fingerprint value={fingerprint} />
        <span>
          {authority?.name ?? issuer ?? "unknown issuer"}
          {lastAddress === null ? "" : ` · ${lastAddress}`} · <RelativeTime at={firstSeenAt ?? createdAt} />
        </span>
      </div>
      <div className="grid text-sm font-medium text-warn lg:hidden">
        {warnings.map(({ code, text }) => (
          <span key={code}>{text}</span>
        ))}
      </div>
    </div>
  );
}

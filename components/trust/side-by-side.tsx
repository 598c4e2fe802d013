"use client";

import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { Digest, Fingerprint } from "#components/ui/digest.tsx";
import { AbsoluteTime, RelativeTime } from "#components/ui/time.tsx";
import { api } from "#lib/client/api.ts";
import { keys } from "#lib/client/keys.ts";
import type { CertificateDetail } from "#lib/contracts/console/certificates.ts";

/** The certificate that a device has beside the one it comes with now. */
export function SideBySide({ old, fresh }: { old: string; fresh: string }) {
  const before = useDetail(old);
  const after = useDetail(fresh);
  if (before === undefined || after === undefined) return null;
  return (
    <div className="overflow-x-auto rounded-md border border-line">
      <table className="w-full text-left text-sm">
        <caption className="sr-only">The certificate it has and the new one</caption>
        <thead className="text-ink-3">
          <tr>
            <td className="px-2.5 py-1" />
            <th scope="col" className="px-2.5 py-1 font-medium">
              It has
            </th>
            <th scope="col" className="px-2.5 py-1 font-medium">
              New
            </th>
          </tr>
        </thead>
        <tbody>
          {ROWS.map(([label, show]) => (
            <tr key={label} className="border-t border-line align-top">
              <th scope="row" className="px-2.5 py-1 font-normal text-ink-3">
                {label}
              </th>
              <td className="px-2.5 py-1">{show(before)}</td>
              <td className="px-2.5 py-1">{show(after)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

const ROWS: readonly (readonly [string, (it: CertificateDetail) => ReactNode])[] = [
  ["Fingerprint", (it) => <Fingerprint value={it.fingerprint} />],
  ["Key", (it) => it.keyType ?? "—"],
  ["Key digest", (it) => (it.spkiSha256 === null ? "—" : <Digest value={it.spkiSha256} label="key digest" />)],
  ["Issuer", (it) => it.authority?.name ?? it.issuer ?? "—"],
  ["Valid until", (it) => (it.notAfter === null ? "—" : <AbsoluteTime at={it.notAfter} dateOnly />)],
  ["Last used", (it) => (it.lastSeenAt === null ? "never" : <RelativeTime at={it.lastSeenAt} />)],
  [
    "Addresses",
    (it) => {
      const addresses = it.addresses.slice(0, 5).map(({ address }) => address);
      return <span className="mono">{addresses.join(", ") || (it.lastAddress ?? "—")}</span>;
    },
  ],
];

function useDetail(fingerprint: string): CertificateDetail | undefined {
  const { data } = useQuery({
    queryKey: keys.certificates.one(fingerprint),
    queryFn: ({ signal }) => api.getCertificate(fingerprint, signal),
  });
  return data;
}

"use client";

import { useQuery } from "@tanstack/react-query";
import { Card, Facts } from "#components/ui/card.tsx";
import { CodeLine } from "#components/ui/code-line.tsx";
import { AbsoluteTime } from "#components/ui/time.tsx";
import { api } from "#lib/client/api.ts";
import { plural } from "#lib/client/format.ts";
import { keys } from "#lib/client/keys.ts";
import type { Authority } from "#lib/contracts/console/authorities.ts";

/** Where an authority says what it revoked, and what it said last. */
export function AuthorityPublication({ authority: { id, published } }: { authority: Authority }) {
  return (
    <Card title="What it publishes">
      {published === null ? (
        <p className="text-ink-2">
          Its key is not here, so nothing is published for it here: its revocation list is its owner's. What you revoke
          here still holds at every door.
        </p>
      ) : (
        <div className="grid gap-2">
          <p className="text-ink-2">These addresses stand in every certificate that it signs.</p>
          <Facts
            rows={[
              ["Revocation list", <CodeLine key="crl" label="Revocation list" code={published.crlUrl} />],
              ["OCSP", <CodeLine key="ocsp" label="OCSP" code={published.ocspUrl} />],
              ["Its certificate", <CodeLine key="crt" label="Its certificate" code={published.certificateUrl} />],
            ]}
          />
          <LatestList id={id} />
        </div>
      )}
    </Card>
  );
}

function LatestList({ id }: { id: string }) {
  const { data } = useQuery({
    queryKey: keys.authorities.publication(id),
    queryFn: ({ signal }) => api.getPublication(id, signal),
  });
  if (data === undefined) return null;
  const { crl, responderUntil } = data;
  return (
    <Facts
      rows={[
        [
          "Latest list",
          crl === null ? (
            "none was asked for yet"
          ) : (
            <>
              number {crl.number} with {plural(crl.entries, "entry", "entries")}, of{" "}
              <AbsoluteTime at={crl.thisUpdate} />; the next by <AbsoluteTime at={crl.nextUpdate} />
            </>
          ),
        ],
        [
          "OCSP",
          responderUntil === null ? (
            "not asked yet"
          ) : (
            <>
              answered with a certificate valid until <AbsoluteTime at={responderUntil} dateOnly />
            </>
          ),
        ],
      ]}
    />
  );
}

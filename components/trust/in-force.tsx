"use client";

import { useQuery } from "@tanstack/react-query";
import { Card, Facts } from "#components/ui/card.tsx";
import { ErrorPanel } from "#components/ui/error-panel.tsx";
import { Pill } from "#components/ui/status.tsx";
import { AbsoluteTime, RelativeTime } from "#components/ui/time.tsx";
import { api } from "#lib/client/api.ts";
import { keys } from "#lib/client/keys.ts";
import type { InForce, InForceAt } from "#lib/contracts/console/revocation.ts";

const LOOK_AGAIN_MS = 1_000;
const LOOK_SELDOM_MS = 15_000;

type Of = { readonly fingerprint: string } | { readonly authorityId: string };

/** Since when the last decision about a certificate, or about an authority, is in force at each gateway. */
export function InForcePanel(of: Of) {
  const isCertificate = "fingerprint" in of;
  const { data, error, refetch } = useQuery<InForce>({
    queryKey: isCertificate ? keys.certificates.inForce(of.fingerprint) : keys.authorities.inForce(of.authorityId),
    queryFn: ({ signal }) =>
      isCertificate ? api.getInForce(of.fingerprint, signal) : api.getAuthorityInForce(of.authorityId, signal),
    refetchInterval: ({ state }) => (isSettled(state.data) ? LOOK_SELDOM_MS : LOOK_AGAIN_MS),
  });
  if (data === undefined) {
    return error === null ? null : <ErrorPanel what="The gateways" error={error} retry={() => void refetch()} />;
  }
  return (
    <Card title="In force">
      {data.gateways.length === 0 ? (
        <p className="text-ink-3">No gateway was heard of in the last ten minutes, so nobody is let in anywhere.</p>
      ) : (
        <div className="grid gap-3">
          <LastChange change={data.change} of={isCertificate ? "it or its authority" : "it"} />
          <Facts
            rows={data.gateways.map((gateway): [React.ReactNode, React.ReactNode] => [
              <span key="host" className="mono">
                {gateway.host}
              </span>,
              <At key="at" gateway={gateway} staleSeconds={data.staleSeconds} />,
            ])}
          />
        </div>
      )}
    </Card>
  );
}

function LastChange({ change, of }: { change: InForce["change"]; of: string }) {
  if (change === null) return <p className="text-ink-2">Nothing was decided about {of} in the last week.</p>;
  return (
    <p className="text-ink-2">
      Last decision: {change.verb}, <AbsoluteTime at={change.at} />
    </p>
  );
}

function At({ gateway, staleSeconds }: { gateway: InForceAt; staleSeconds: number }) {
  const { state, delayMs, connectionsCut, appliedAt, startedAt } = gateway;
  if (state === "not_yet") return <Pill tone="warn">not yet</Pill>;
  if (state === "silent") {
    return (
      <>
        <Pill tone={gateway.silentSeconds > staleSeconds ? "warn" : "bad"}>
          not heard of for {gateway.silentSeconds} s
        </Pill>
        <span className="text-ink-2">
          {gateway.silentSeconds > staleSeconds
            ? " Without the database it lets nobody in by now."
            : ` Without the database it uses what it knew for ${staleSeconds} s, then lets nobody in.`}
        </span>
      </>
    );
  }
  return (
    <>
      <Pill tone="ok">in force</Pill>{" "}
      {appliedAt === null ? (
        <span className="text-ink-2">
          since it started <RelativeTime at={startedAt} />
        </span>
      ) : (
        <span className="text-ink-2">
          after <span className="num">{delayMs} ms</span>, <AbsoluteTime at={appliedAt} />
          {connectionsCut === 0
            ? ""
            : `; ${connectionsCut} open ${connectionsCut === 1 ? "connection" : "connections"} cut`}
        </span>
      )}
    </>
  );
}

function isSettled(inForce: InForce | undefined): boolean {
  return inForce?.gateways.every(({ state }) => state !== "not_yet") ?? false;
}

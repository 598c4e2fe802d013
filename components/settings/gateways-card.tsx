"use client";

import { useQuery } from "@tanstack/react-query";
import { CircleAlert } from "lucide-react";
import { Callout } from "#components/ui/callout.tsx";
import { Card, Facts } from "#components/ui/card.tsx";
import { ErrorPanel } from "#components/ui/error-panel.tsx";
import { Pill } from "#components/ui/status.tsx";
import { RelativeTime } from "#components/ui/time.tsx";
import { api } from "#lib/client/api.ts";
import { keys } from "#lib/client/keys.ts";
import type { Gateway, MeasuredRevocation } from "#lib/contracts/console/revocation.ts";

const LOOK_AGAIN_MS = 10_000;

/** The gateway processes, and how soon a revocation is in force at them. */
export function GatewaysCard() {
  const { data, error, refetch } = useQuery({
    queryKey: keys.backends.gateways,
    queryFn: ({ signal }) => api.listGateways(signal),
    refetchInterval: LOOK_AGAIN_MS,
  });
  if (data === undefined) {
    return error === null ? null : <ErrorPanel what="The gateways" error={error} retry={() => void refetch()} />;
  }
  return (
    <Card title="Gateways">
      <div className="grid gap-3">
        {data.data.length === 0 ? (
          <p className="text-ink-3">None was heard of in the last ten minutes. No device can come in.</p>
        ) : (
          <Facts
            rows={data.data.map((gateway): [React.ReactNode, React.ReactNode] => [
              <span key="host" className="mono">
                {gateway.host}
              </span>,
              <State key="state" gateway={gateway} />,
            ])}
          />
        )}
        {data.measured === null ? null : <Measured measured={data.measured} />}
      </div>
    </Card>
  );
}

function State({ gateway }: { gateway: Gateway }) {
  const { isLive, silentSeconds, connections, version, startedAt } = gateway;
  return (
    <>
      {isLive ? <Pill tone="ok">there</Pill> : <Pill tone="bad">not heard of for {silentSeconds} s</Pill>}{" "}
      <span className="text-ink-2">
        <span className="num">{connections}</span> open {connections === 1 ? "connection" : "connections"}, version{" "}
        <span className="num">{version}</span>, started <RelativeTime at={startedAt} />
      </span>
    </>
  );
}

function Measured({ measured }: { measured: MeasuredRevocation }) {
  const { lastAt, lastDelayMs, worstDelayMs, lateSince, lastProblem, tries, failures } = measured;
  const times = `Revocations are tried every minute: ${tries} tries, ${failures} failed.`;
  if (lateSince !== null) {
    return (
      <Callout tone="bad" icon={CircleAlert} title="A revocation takes longer than a second to be in force.">
        {lastProblem ?? `The last one took ${lastDelayMs} ms.`} {times}
      </Callout>
    );
  }
  return (
    <p className="text-ink-2">
      A revocation is in force everywhere after <span className="num">{lastDelayMs} ms</span> (worst of a day{" "}
      <span className="num">{worstDelayMs} ms</span>), tried {lastAt === null ? "never" : <RelativeTime at={lastAt} />}.{" "}
      {times}
    </p>
  );
}

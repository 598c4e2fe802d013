"use client";

import { useQuery } from "@tanstack/react-query";
import { Check, Minus, RotateCw } from "lucide-react";
import type { ReactNode } from "react";
import { Button } from "#components/ui/button.tsx";
import { Card, Facts } from "#components/ui/card.tsx";
import { ErrorPanel } from "#components/ui/error-panel.tsx";
import { Pill } from "#components/ui/status.tsx";
import { api } from "#lib/client/api.ts";
import { keys } from "#lib/client/keys.ts";
import type { BackendReport, BackendSummary } from "#lib/contracts/console/back-ends.ts";
import { BREAKER_TEXT, CAPABILITY_TEXT, GENERATION_TEXT } from "./texts.ts";

/** One back end: where it is, how it answers just now, and what it can't do. */
export function BackendCard({ backend }: { backend: BackendSummary }) {
  const { data, error, isFetching, refetch } = useQuery({
    queryKey: keys.backends.one(backend.id),
    queryFn: ({ signal }) => api.getBackend(backend.id, signal),
  });
  const name = backend.name.slice(0, 1).toUpperCase() + backend.name.slice(1);
  return (
    <Card
      title={name}
      aside={
        <>
          <State report={data} />
          <Button
            size="sm"
            look="quiet"
            disabled={isFetching}
            aria-label={`Ask the ${backend.name} again`}
            onClick={() => void refetch()}
          >
            <RotateCw aria-hidden />
          </Button>
        </>
      }
    >
      <div className="grid gap-3">
        <Facts rows={[["Address", <Address key="address" backend={backend} />], ...factsOf(data)]} />
        {error === null ? null : (
          <ErrorPanel what={`The state of the ${backend.name}`} error={error} retry={() => void refetch()} />
        )}
        {data === undefined ? null : <Capabilities report={data} />}
      </div>
    </Card>
  );
}

function State({ report }: { report: BackendReport | undefined }) {
  if (report === undefined) return <span className="text-sm text-ink-3">is asked…</span>;
  return report.isReachable ? <Pill tone="ok">answers</Pill> : <Pill tone="bad">down</Pill>;
}

function Address({ backend }: { backend: BackendSummary }) {
  return (
    <>
      <span className="mono">{backend.url}</span>
      <span className="text-ink-2"> · {backend.isExternal ? "external" : "embedded"}</span>
    </>
  );
}

function factsOf(report: BackendReport | undefined): [string, ReactNode][] {
  if (report === undefined) return [];
  const { error, latencyMs, version, generation, breaker } = report;
  return [
    ["Trouble", error],
    [
      "Answered in",
      latencyMs === null ? null : (
        <span key="latency" className="num">
          {latencyMs} ms
        </span>
      ),
    ],
    [
      "Version",
      version === null ? null : (
        <span key="version" className="num">
          {version}
        </span>
      ),
    ],
    ["Speaks", generation === null ? null : GENERATION_TEXT[generation]],
    ["Calls", BREAKER_TEXT[breaker]],
  ];
}

function Capabilities({ report }: { report: BackendReport }) {
  if (report.capabilities === null) {
    return <p className="text-ink-2">What it can do is not known yet: it has not answered since this console began.</p>;
  }
  if (report.capabilities.length === 0) return null;
  return (
    <ul className="grid gap-1 border-t border-line pt-3">
      {report.capabilities.map(({ name, isAvailable, reason }) => (
        <li key={name} className="grid grid-cols-[20px_minmax(0,1fr)] gap-1">
          {isAvailable ? (
            <Check aria-label="Can:" className="mt-0.5 size-4 text-ok" />
          ) : (
            <Minus aria-label="Can't:" className="mt-0.5 size-4 text-ink-3" />
          )}
          <span className={isAvailable ? "" : "text-ink-2"}>{isAvailable ? CAPABILITY_TEXT[name] : reason}</span>
        </li>
      ))}
    </ul>
  );
}

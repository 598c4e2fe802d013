"use client";

import { useQuery } from "@tanstack/react-query";
import Link from "next/link";
import { Card, Facts } from "#components/ui/card.tsx";
import { ErrorPanel } from "#components/ui/error-panel.tsx";
import { Pill } from "#components/ui/status.tsx";
import { RelativeTime } from "#components/ui/time.tsx";
import { api } from "#lib/client/api.ts";
import { count } from "#lib/client/format.ts";
import { keys } from "#lib/client/keys.ts";
import type { MenderReport } from "#lib/contracts/console/mender.ts";

/** The Mender server that the gateway stands in front of; nothing where there is none. */
export function MenderCard() {
  const { data, error, refetch } = useQuery({
    queryKey: keys.backends.mender,
    queryFn: ({ signal }) => api.getMender(signal),
  });
  if (error !== null) return <ErrorPanel what="The Mender server" error={error} retry={() => void refetch()} />;
  if (data === undefined || data.url === null) return null;
  return (
    <Card
      title="Mender server"
      aside={data.isReachable ? <Pill tone="ok">answers</Pill> : <Pill tone="bad">trouble</Pill>}
    >
      <div className="grid gap-3">
        <Facts
          rows={[
            [
              "Address",
              <span key="url" className="mono">
                {data.url}
              </span>,
            ],
            ["Trouble", data.error],
            ["Answered in", data.latencyMs === null ? null : `${data.latencyMs} ms`],
            ["Version", "the server does not say"],
            ["Token", <Token key="token" report={data} />],
            ["Door", doorOf(data)],
            ["Keys", KEY_MATCH[data.keyMatch]],
            ["New keys", ROTATION[data.rotation]],
            ["Devices", <Devices key="devices" report={data} />],
          ]}
        />
        <Link href="/settings/mender" className="link text-sm">
          What was preauthorized
        </Link>
      </div>
    </Card>
  );
}

function Token({ report }: { report: MenderReport }) {
  if (report.tokenMode === "personal") return "personal access token";
  if (report.tokenObtainedAt === null) return "by sign-in; none yet";
  return (
    <>
      by sign-in, <RelativeTime at={report.tokenObtainedAt} />
      {report.tokenExpiresAt === null ? null : (
        <>
          ; ends <RelativeTime at={report.tokenExpiresAt} />
        </>
      )}
    </>
  );
}

function Devices({ report }: { report: MenderReport }) {
  if (report.syncedAt === null) return "not read yet";
  return (
    <>
      {count(report.devices)}, read <RelativeTime at={report.syncedAt} />
    </>
  );
}

function doorOf({ door }: MenderReport): string {
  return [door.port === null ? null : `port ${door.port}`, door.host].filter((part) => part !== null).join(", ");
}

const KEY_MATCH = {
  strict: "devices authenticate with their certificate's key",
  different: "devices may authenticate with another key than their certificate's",
} as const;

const ROTATION = {
  on: "a known device may take a new key by itself",
  off: "a person accepts new keys in Mender",
} as const;

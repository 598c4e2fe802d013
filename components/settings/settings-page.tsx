"use client";

import { useQuery } from "@tanstack/react-query";
import { MenderCard } from "#components/mender/mender-card.tsx";
import { Card, Facts } from "#components/ui/card.tsx";
import { ErrorPanel } from "#components/ui/error-panel.tsx";
import { Columns, PageHead } from "#components/ui/page.tsx";
import { api } from "#lib/client/api.ts";
import { keys } from "#lib/client/keys.ts";
import { BackendCard } from "./backend-card.tsx";
import { GatewaysCard } from "./gateways-card.tsx";
import { ProxyCard } from "./proxy-card.tsx";

/** What this install works with and what it is. Each back end is asked for itself, so that a dead one blanks its own card only. */
export function SettingsPage() {
  const { data, error, refetch } = useQuery({
    queryKey: keys.backends.list,
    queryFn: ({ signal }) => api.listBackends(signal),
  });
  if (data === undefined) {
    return (
      <>
        <PageHead title="Settings" />
        {error === null ? null : <ErrorPanel what="The settings" error={error} retry={() => void refetch()} />}
      </>
    );
  }
  const { version, installId, node, database } = data.about;
  return (
    <>
      <PageHead title="Settings" meta="The back ends this install works with" />
      <Columns
        aside={
          <Card title="About">
            <Facts
              rows={[
                [
                  "Gatehouse",
                  <span key="version" className="num">
                    {version}
                  </span>,
                ],
                [
                  "Install",
                  <span key="install" className="mono">
                    {installId}
                  </span>,
                ],
                [
                  "Node.js",
                  <span key="node" className="num">
                    {node}
                  </span>,
                ],
                [
                  "Database",
                  <span key="database" className="num">
                    {database}
                  </span>,
                ],
              ]}
            />
          </Card>
        }
      >
        {data.data.map((backend) => (
          <BackendCard key={backend.id} backend={backend} />
        ))}
        <MenderCard />
        <GatewaysCard />
        <ProxyCard />
      </Columns>
    </>
  );
}

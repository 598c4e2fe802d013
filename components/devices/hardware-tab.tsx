"use client";

import { useQuery } from "@tanstack/react-query";
import { HardDrive } from "lucide-react";
import { useState } from "react";
import { Card, Facts } from "#components/ui/card.tsx";
import { EmptyState } from "#components/ui/empty-state.tsx";
import { ErrorPanel } from "#components/ui/error-panel.tsx";
import { SearchField } from "#components/ui/search-field.tsx";
import { SkeletonLines } from "#components/ui/skeleton.tsx";
import { api } from "#lib/client/api.ts";
import { plural } from "#lib/client/format.ts";
import { keys } from "#lib/client/keys.ts";
import type { DeviceHardware } from "#lib/contracts/console/devices.ts";
import { JsonTree } from "./json-tree.tsx";

/** What the device says about itself: network, system, packages. */
export function HardwareTab({ uuid }: { uuid: string }) {
  const { data, error, refetch } = useQuery({
    queryKey: keys.devices.hardware(uuid),
    queryFn: ({ signal }) => api.deviceHardware(uuid, signal),
  });
  const [search, setSearch] = useState("");
  if (data === undefined && error !== null)
    return <ErrorPanel what="The hardware" error={error} retry={() => void refetch()} />;
  if (data === undefined) return <SkeletonLines label="Loading the hardware" />;
  const { system, network, packages } = data;
  if (isNothing(system) && network === null && packages.length === 0) {
    return (
      <EmptyState icon={HardDrive} title="It has not reported its hardware">
        Devices send what lshw and their package manager say on their first visit, and again when it changes.
      </EmptyState>
    );
  }
  return (
    <div className="grid gap-4">
      <SearchField
        label="Search the hardware"
        placeholder="Find a part, a driver, a package"
        value={search}
        onSearch={setSearch}
      />
      {network === null || search !== "" ? null : (
        <Card title="Network">
          <Facts
            rows={[
              [
                "Host name",
                <span key="name" className="mono">
                  {network.hostname}
                </span>,
              ],
              [
                "IPv4",
                <span key="ip" className="mono">
                  {network.localIpv4}
                </span>,
              ],
              [
                "MAC",
                <span key="mac" className="mono">
                  {network.mac}
                </span>,
              ],
            ]}
          />
        </Card>
      )}
      {isNothing(system) ? null : (
        <Card title="System">
          <JsonTree value={system} search={search.toLowerCase()} />
        </Card>
      )}
      <Packages hardware={data} search={search.toLowerCase()} />
    </div>
  );
}

function Packages({ hardware, search }: { hardware: DeviceHardware; search: string }) {
  const { packages, packagesTotal } = hardware;
  if (packages.length === 0) return null;
  const shown = packages.filter(({ name }) => name.toLowerCase().includes(search));
  return (
    <Card
      title={
        packagesTotal > packages.length
          ? `Packages, the first ${packages.length} of ${packagesTotal}`
          : plural(packagesTotal, "package")
      }
    >
      {shown.length === 0 ? <p className="text-ink-3">None of that name.</p> : null}
      <ul className="columns-1 gap-6 sm:columns-2">
        {shown.map(({ name, version }) => (
          <li key={`${name} ${version}`} className="flex gap-2 break-inside-avoid">
            <span className="min-w-0 flex-1 truncate" data-tip={name}>
              {name}
            </span>
            <span className="mono truncate text-ink-3">{version}</span>
          </li>
        ))}
      </ul>
    </Card>
  );
}

function isNothing(system: unknown): boolean {
  return system === null || system === undefined || (typeof system === "object" && Object.keys(system).length === 0);
}

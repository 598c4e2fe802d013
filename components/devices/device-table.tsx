"use client";

import { SearchX } from "lucide-react";
import Link from "next/link";
import { MenderTag } from "#components/mender/mender-tag.tsx";
import { Button } from "#components/ui/button.tsx";
import { type Column, DataTable } from "#components/ui/data-table.tsx";
import { EmptyState } from "#components/ui/empty-state.tsx";
import { DEVICE_STATUS, StatusBadge } from "#components/ui/status.tsx";
import { SimulatedTag, Tag } from "#components/ui/tag.tsx";
import { RelativeTime } from "#components/ui/time.tsx";
import type { Selection } from "#components/ui/use-selection.ts";
import { withQuery } from "#lib/client/fetcher.ts";
import type { Device } from "#lib/contracts/console/devices.ts";
import { CertificateBadge } from "./certificate-badge.tsx";
import { namedImage } from "./installed-image.ts";
import type { DeviceFilter } from "./use-device-params.ts";

const COLUMNS: readonly Column<Device>[] = [
  {
    id: "name",
    head: "Name",
    sort: "name",
    rowHeader: true,
    cell: (device) => (
      <span className="flex items-center gap-2">
        <Link
          href={`/devices/${device.uuid}`}
          prefetch={false}
          className="max-w-36 truncate py-1 hover:underline min-[1100px]:max-w-52"
        >
          {device.name}
        </Link>
        {device.simulated ? <SimulatedTag /> : null}
        {device.mender === null ? null : <MenderTag mender={device.mender} />}
      </span>
    ),
  },
  {
    id: "hardware",
    head: "Hardware",
    sort: "hardware",
    from: "xl",
    cell: ({ hardwareIds: [first, ...others] }) =>
      first === undefined ? (
        <Nothing />
      ) : (
        <span
          className="inline-flex items-center gap-1"
          data-tip={others.length === 0 ? undefined : [first, ...others].join("\n")}
        >
          <Tag className="max-w-36">{first}</Tag>
          {others.length === 0 ? null : <span className="text-sm text-ink-3">+{others.length}</span>}
        </span>
      ),
  },
  { id: "status", head: "Status", sort: "status", cell: ({ status }) => <StatusBadge look={DEVICE_STATUS[status]} /> },
  {
    id: "why",
    head: "Why",
    from: "wide",
    grow: true,
    cell: (device) => (
      <span className="text-ink-2" data-tip={device.why.summary}>
        {device.statusReason ?? clauseOf(device)}
      </span>
    ),
  },
  {
    id: "image",
    head: "Image",
    sort: "image",
    from: "sm",
    cell: ({ ecus }) => {
      const image = namedImage(ecus.find(({ primary }) => primary)?.installed ?? null);
      return image === null ? (
        <Nothing />
      ) : (
        <span className="block max-w-28 truncate min-[1400px]:max-w-44" data-tip={image.filename}>
          {image.filename}
        </span>
      );
    },
  },
  {
    id: "certificate",
    head: "Certificate",
    sort: "certificate",
    from: "xl",
    cell: (device) => <CertificateBadge certificate={device.certificate} />,
  },
  {
    id: "seen",
    head: "Seen",
    sort: "lastSeenAt",
    align: "right",
    from: "sm",
    cell: ({ lastSeenAt }) =>
      lastSeenAt === null ? <Nothing /> : <RelativeTime at={lastSeenAt} bare className="text-ink-2" />,
  },
];

type DeviceTableProps = {
  rows: readonly Device[] | undefined;
  filter: DeviceFilter;
  selection: Selection;
  refreshing: boolean;
  noMatch: boolean;
};

export function DeviceTable({ rows, filter, selection, refreshing, noMatch }: DeviceTableProps) {
  if (noMatch) {
    return (
      <EmptyState
        icon={SearchX}
        title="No device matches"
        actions={<Button onClick={filter.clear}>Clear filters</Button>}
      >
        Every device of this environment was looked at.
      </EmptyState>
    );
  }
  return (
    <DataTable
      caption="Devices"
      columns={COLUMNS}
      rows={rows}
      keyOf={({ uuid }) => uuid}
      nameOf={({ name }) => name}
      selection={selection}
      refreshing={refreshing}
      sorting={{
        current: filter.params.sort,
        onSort: filter.sortBy,
        hrefOf: (sort) => withQuery("/devices", { ...filter.params, sort, cursor: "" }),
      }}
    />
  );
}

/** The sentence without the words that the status column already says. */
function clauseOf({ status, why }: Device): string {
  const { word } = DEVICE_STATUS[status];
  return why.summary.startsWith(`${word}: `) ? why.summary.slice(word.length + 2) : why.summary;
}

function Nothing() {
  return <span className="text-ink-3">—</span>;
}

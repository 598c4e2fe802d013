"use client";

import { Cpu, ShieldCheck } from "lucide-react";
import Link from "next/link";
import { useLack } from "#components/shell/use-lack.ts";
import { Card } from "#components/ui/card.tsx";
import { type Column, DataTable } from "#components/ui/data-table.tsx";
import { Digest } from "#components/ui/digest.tsx";
import { EmptyState } from "#components/ui/empty-state.tsx";
import { Explain } from "#components/ui/explain.tsx";
import { Tag } from "#components/ui/tag.tsx";
import { RelativeTime } from "#components/ui/time.tsx";
import type { Device, Ecu } from "#lib/contracts/console/devices.ts";
import { namedImage } from "./installed-image.ts";

const COLUMNS: readonly Column<Ecu>[] = [
  {
    id: "ecu",
    head: <Explain term="ecu">ECU</Explain>,
    rowHeader: true,
    wrap: true,
    cell: (ecu) => (
      <div className="flex flex-wrap items-center gap-x-2">
        {ecu.primary ? "Primary" : "Secondary"}
        <Tag>{ecu.hardwareId}</Tag>
        <span className="basis-full text-sm font-normal text-ink-3">
          <Digest value={ecu.serial} label="ECU serial" />
        </span>
      </div>
    ),
  },
  {
    id: "installed",
    head: "Installed",
    wrap: true,
    cell: ({ installed }) => (
      <ImageCell image={namedImage(installed)} nothing={installed === null ? "not reported" : "nothing from here"} />
    ),
  },
  {
    id: "assigned",
    head: "Assigned",
    wrap: true,
    cell: ({ installed, assigned }) =>
      assigned !== null && assigned.sha256 === installed?.sha256 ? (
        <span className="text-ink-3">the same</span>
      ) : (
        <ImageCell image={assigned} nothing="nothing" />
      ),
  },
];

/** Each ECU with what it says it runs and what it is to run. */
export function SoftwareTab({ device }: { device: Device }) {
  const unproven = useLack("director", "device_state");
  if (device.ecus.length === 0) {
    return (
      <EmptyState icon={Cpu} title="No ECU registered yet">
        A device registers its ECUs on its first visit; then they stand here with what is installed on each.
      </EmptyState>
    );
  }
  return (
    <>
      <Card flush>
        <DataTable caption="ECUs" columns={COLUMNS} rows={device.ecus} keyOf={({ serial }) => serial} inCard />
      </Card>
      <p className="mt-2 flex items-start gap-1.5 text-sm text-ink-3">
        <ShieldCheck aria-hidden className="mt-px size-4 shrink-0" />
        {unproven !== null ? (
          <span>{unproven}</span>
        ) : device.lastManifestAt === null ? (
          <span>No signed manifest has come yet, so nothing about its software is proven.</span>
        ) : (
          <span>
            Installed images are what its last <Explain term="manifest">manifest</Explain> says, signed by each ECU's
            own key <RelativeTime at={device.lastManifestAt} />.
          </span>
        )}
      </p>
    </>
  );
}

function ImageCell({ image, nothing }: { image: Ecu["installed"]; nothing: string }) {
  if (image === null) return <span className="text-ink-3">{nothing}</span>;
  return (
    <div>
      <Link
        href={`/images/${encodeURIComponent(image.filename)}`}
        className="inline-block py-0.5 font-medium hover:underline"
      >
        {image.filename}
      </Link>
      <div className="text-sm text-ink-3">
        <Digest value={image.sha256} label="digest" />
      </div>
    </div>
  );
}

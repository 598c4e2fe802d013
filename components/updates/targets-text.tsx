import { ArrowRight } from "lucide-react";
import Link from "next/link";
import { Tag } from "#components/ui/tag.tsx";
import type { Update } from "#lib/contracts/console/updates.ts";

/** What goes where: `rpi4 any → app_2.0`. */
export function TargetsText({ targets, links = false }: { targets: Update["targets"]; links?: boolean }) {
  return (
    <span className="inline-flex flex-wrap gap-x-4 gap-y-1">
      {Object.entries(targets).map(([hardwareId, { from, to }]) => (
        <span key={hardwareId} className="inline-flex min-w-0 flex-wrap items-center gap-1.5">
          <Tag>{hardwareId}</Tag>
          {from === undefined ? <span className="text-ink-3">any</span> : <Name filename={from} link={links} />}
          <ArrowRight aria-label="to" className="size-3.5 text-ink-3" />
          <Name filename={to} link={links} />
        </span>
      ))}
    </span>
  );
}

function Name({ filename, link }: { filename: string; link: boolean }) {
  if (!link) return <span className="wrap-anywhere">{filename}</span>;
  return (
    <Link href={`/images/${encodeURIComponent(filename)}`} className="link wrap-anywhere">
      {filename}
    </Link>
  );
}

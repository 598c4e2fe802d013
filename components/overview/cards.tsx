import { Check, FileText, TriangleAlert } from "lucide-react";
import Link from "next/link";
import { auditSentence } from "#components/audit/sentence.ts";
import { Card } from "#components/ui/card.tsx";
import { cx } from "#components/ui/cx.ts";
import { DEVICE_STATUS, StatusBadge, type Tone } from "#components/ui/status.tsx";
import { Timeline } from "#components/ui/timeline.tsx";
import { count } from "#lib/client/format.ts";
import type { DeviceStatus } from "#lib/contracts/console/devices.ts";
import type { Overview } from "#lib/contracts/console/overview.ts";

const FILL: Record<Tone, string> = { ok: "bg-ok", busy: "bg-busy", warn: "bg-warn", bad: "bg-bad", idle: "bg-ink-3" };

/** How many devices are in each state; the parts sum to the fleet. */
export function FleetCard({ devices }: { devices: Overview["devices"] }) {
  const rows = devices.byStatus.filter((facet) => facet.count > 0);
  return (
    <Card title="Fleet by state" aside={<span className="num text-sm text-ink-3">{count(devices.total)}</span>}>
      {rows.length === 0 ? <p className="text-ink-2">No device yet.</p> : null}
      <ul className="grid gap-1">
        {rows.map((facet) => {
          const look = DEVICE_STATUS[facet.value as DeviceStatus]; // the facet's values are the statuses
          return (
            <li key={facet.value}>
              <Link
                href={`/devices?status=${facet.value}`}
                className="grid min-h-6 grid-cols-[minmax(0,1fr)_72px_52px] items-center gap-2.5 rounded-sm hover:underline"
              >
                <StatusBadge look={look} />
                <span aria-hidden className="h-2 overflow-hidden rounded-full bg-line">
                  <span
                    className={cx("block h-full min-w-0.5 rounded-full", FILL[look.tone])}
                    style={{ width: `${(100 * facet.count) / Math.max(devices.total, 1)}%` }}
                  />
                </span>
                <span className="num text-right">{count(facet.count)}</span>
              </Link>
            </li>
          );
        })}
      </ul>
    </Card>
  );
}

export function BackendsCard({ backends }: { backends: Overview["backends"] }) {
  return (
    <Card title="Back ends">
      <ul className="grid gap-1.5">
        {backends.map(({ name, ok, latencyMs, error }) => (
          <li key={name} className="grid grid-cols-[minmax(0,1fr)_auto] gap-2">
            <span className="first-letter:uppercase">{name}</span>
            <span className={cx("inline-flex items-center gap-1.5 font-medium", ok ? "text-ok" : "text-bad")}>
              {ok ? <Check aria-hidden className="size-3.5" /> : <TriangleAlert aria-hidden className="size-3.5" />}
              {ok ? <span className="num">{latencyMs} ms</span> : "down"}
            </span>
            {error === null ? null : <span className="col-span-2 text-sm text-ink-2 wrap-anywhere">{error}</span>}
          </li>
        ))}
      </ul>
    </Card>
  );
}

export function LatestCard({ entries }: { entries: Overview["latest"] }) {
  // A request whose end is listed too would only say the same thing twice.
  const settled = new Set(entries.map(({ settles }) => settles));
  const told = entries.filter(({ outcome, sequence }) => outcome !== "requested" || !settled.has(sequence));
  return (
    <Card
      title="Latest"
      aside={
        <Link href="/audit" className="text-sm text-ink-3 hover:text-ink">
          Audit
        </Link>
      }
    >
      <Timeline
        entries={told.map((entry) => ({
          id: entry.sequence,
          at: entry.at,
          icon: FileText,
          text: auditSentence(entry),
        }))}
      />
    </Card>
  );
}

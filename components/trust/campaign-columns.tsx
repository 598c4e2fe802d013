import Link from "next/link";
import type { Column } from "#components/ui/data-table.tsx";
import { Pill, type Tone } from "#components/ui/status.tsx";
import { AbsoluteTime, RelativeTime } from "#components/ui/time.tsx";
import type { CampaignDevice, RenewalProgress } from "#lib/contracts/console/renewal-campaigns.ts";

const PROGRESS: Readonly<Record<RenewalProgress, { tone: Tone; word: string; tip: string }>> = {
  renewed: {
    tone: "ok",
    word: "Renewed",
    tip: "It comes in with another certificate than the one it was listed with.",
  },
  waiting: { tone: "warn", word: "Not yet", tip: "It still has the certificate it was listed with." },
  gone: { tone: "idle", word: "Gone", tip: "Its certificate was revoked, or the device deleted." },
};

export const CAMPAIGN_COLUMNS: readonly Column<CampaignDevice>[] = [
  {
    id: "name",
    head: "Device",
    rowHeader: true,
    grow: true,
    cell: (it) => (
      <Link href={`/devices/${it.deviceUuid}`} prefetch={false} className="truncate py-1 hover:underline">
        {it.name}
      </Link>
    ),
  },
  {
    id: "progress",
    head: "Progress",
    cell: ({ progress }) => {
      const { tone, word, tip } = PROGRESS[progress];
      return (
        <Pill tone={tone} tip={tip}>
          {word}
        </Pill>
      );
    },
  },
  {
    id: "until",
    head: "Valid until",
    from: "sm",
    cell: (it) => (it.notAfter === null ? "—" : <AbsoluteTime at={it.notAfter} dateOnly className="num text-ink-2" />),
  },
  {
    id: "seen",
    head: "Last seen",
    align: "right",
    cell: (it) => (it.lastSeenAt === null ? "never" : <RelativeTime at={it.lastSeenAt} bare className="text-ink-2" />),
  },
];

"use client";

import dynamic from "next/dynamic";
import Link from "next/link";
import { useState } from "react";
import { GuardedButton } from "#components/shell/me.tsx";
import type { Column } from "#components/ui/data-table.tsx";
import { Digest } from "#components/ui/digest.tsx";
import { Tag } from "#components/ui/tag.tsx";
import { AbsoluteTime, RelativeTime } from "#components/ui/time.tsx";
import type { AllowlistEntry } from "#lib/contracts/console/allowlist.ts";
import { GroupName } from "./group-names.tsx";
import { KIND_WORDS } from "./names.ts";

const RemoveDialog = dynamic(() => import("./remove-entry-dialog.tsx").then((module) => module.RemoveEntryDialog));

export const ALLOWLIST_COLUMNS: readonly Column<AllowlistEntry>[] = [
  {
    id: "value",
    head: "Certificate",
    rowHeader: true,
    cell: (it) =>
      it.kind === "subject" ? (
        <span className="mono block max-w-72 truncate">{it.value}</span>
      ) : (
        <Digest value={it.value} label={KIND_WORDS[it.kind].toLowerCase()} />
      ),
  },
  { id: "kind", head: "Known by", from: "sm", cell: (it) => KIND_WORDS[it.kind] },
  { id: "authority", head: "Issued by", from: "xl", cell: (it) => it.authority?.name ?? "any" },
  {
    id: "name",
    head: "Name",
    grow: true,
    wrap: true,
    cell: (it) => (
      <>
        {it.name ?? "—"}
        <Assigned entry={it} />
      </>
    ),
  },
  { id: "hardware", head: "Hardware", from: "lg", cell: (it) => it.hardwareId ?? "—" },
  { id: "use", head: "Use", from: "md", cell: (it) => <Use entry={it} /> },
  {
    id: "added",
    head: "Added",
    align: "right",
    from: "lg",
    cell: (it) => <RelativeTime at={it.createdAt} bare className="text-ink-2" />,
  },
  {
    id: "actions",
    head: <span className="sr-only">Change</span>,
    align: "right",
    cell: (it) => <Remove entry={it} />,
  },
];

/** What the device gets besides its name. */
function Assigned({ entry: { groupId, tags } }: { entry: AllowlistEntry }) {
  const pairs = Object.entries(tags);
  if (groupId === null && pairs.length === 0) return null;
  return (
    <div className="flex flex-wrap items-center gap-x-2 gap-y-0.5 text-sm text-ink-2">
      {groupId === null ? null : (
        <span>
          into <GroupName id={groupId} />
        </span>
      )}
      {pairs.map(([name, value]) => (
        <Tag key={name}>
          {name}: {value}
        </Tag>
      ))}
    </div>
  );
}

function Use({ entry }: { entry: AllowlistEntry }) {
  if (entry.usedBy !== null) {
    return (
      <Link href={`/trust/certificates/${entry.usedBy}`} prefetch={false} className="link">
        used <RelativeTime at={entry.usedAt ?? entry.createdAt} />
      </Link>
    );
  }
  if (entry.expiresAt === null) return <span className="text-ink-2">not yet</span>;
  return (
    <span className="text-ink-2">
      until <AbsoluteTime at={entry.expiresAt} dateOnly />
    </span>
  );
}

function Remove({ entry }: { entry: AllowlistEntry }) {
  const [open, setOpen] = useState(false);
  return (
    <>
      <GuardedButton permission="certificate.decide" size="sm" look="quiet" onClick={() => setOpen(true)}>
        Remove…
      </GuardedButton>
      {open ? <RemoveDialog entry={entry} onClose={() => setOpen(false)} /> : null}
    </>
  );
}

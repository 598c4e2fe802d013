"use client";

import { LAST_USED, revokeColumn } from "#components/ui/columns.tsx";
import type { Column } from "#components/ui/data-table.tsx";
import { Pill } from "#components/ui/status.tsx";
import { AbsoluteTime } from "#components/ui/time.tsx";

type Revocable = { name: string; revokedAt: string | null; expiresAt: string | null; lastUsedAt: string | null };

/** Whether what a script uses still works, until when, since when not used, and the button that ends it. */
export function lifeColumns<Row extends Revocable>(now: number, revoke: (row: Row) => void): readonly Column<Row>[] {
  return [
    {
      id: "state",
      head: "State",
      cell: ({ revokedAt, expiresAt }) =>
        revokedAt !== null ? (
          <Pill tone="bad">revoked</Pill>
        ) : expiresAt !== null && Date.parse(expiresAt) <= now ? (
          <Pill tone="idle">expired</Pill>
        ) : (
          <Pill tone="ok">works</Pill>
        ),
    },
    {
      id: "expires",
      head: "Expires",
      from: "md",
      cell: ({ expiresAt }) =>
        expiresAt === null ? <span className="text-ink-3">never</span> : <AbsoluteTime at={expiresAt} dateOnly />,
    },
    LAST_USED,
    revokeColumn<Row>(({ name }) => name, revoke),
  ];
}

"use client";

import { Button } from "./button.tsx";
import type { Column } from "./data-table.tsx";
import { RelativeTime } from "./time.tsx";

/** When a secret was last used; above all whether it ever was. */
export const LAST_USED: Column<{ lastUsedAt: string | null }> = {
  id: "used",
  head: "Last used",
  align: "right",
  from: "sm",
  cell: ({ lastUsedAt }) =>
    lastUsedAt === null ? (
      <span className="text-ink-3">never</span>
    ) : (
      <RelativeTime at={lastUsedAt} bare className="text-ink-2" />
    ),
};

/** The button that revokes what a row stands for, as long as it works. */
export function revokeColumn<Row extends { revokedAt: string | null }>(
  nameOf: (row: Row) => string,
  revoke: (row: Row) => void,
): Column<Row> {
  return {
    id: "revoke",
    head: <span className="sr-only">Revoke</span>,
    align: "right",
    cell: (row) =>
      row.revokedAt === null ? (
        <Button size="sm" look="danger" aria-label={`Revoke ${nameOf(row)}`} onClick={() => revoke(row)}>
          Revoke…
        </Button>
      ) : null,
  };
}

"use client";

import { Facts } from "#components/ui/card.tsx";
import { Dialog } from "#components/ui/dialog.tsx";
import { AUDIT_OUTCOME, StatusBadge } from "#components/ui/status.tsx";
import { AbsoluteTime } from "#components/ui/time.tsx";
import type { AuditEntry } from "#lib/contracts/console/audit.ts";
import { auditSentence } from "./sentence.ts";

/** One entry whole: before, after, and under which request the log tells more. */
export function EntryDialog({ entry, onClose }: { entry: AuditEntry; onClose: () => void }) {
  const { before, after } = entry;
  const names = [...new Set([...Object.keys(before ?? {}), ...Object.keys(after ?? {})])];
  return (
    <Dialog title={`Entry ${entry.sequence}`} description={auditSentence(entry)} onClose={onClose}>
      <Facts
        rows={[
          ["When", <AbsoluteTime key="at" at={entry.at} />],
          ["Outcome", <StatusBadge key="outcome" look={AUDIT_OUTCOME[entry.outcome]} />],
          ["Completes", entry.settles === null ? null : `entry ${entry.settles}`],
          ["Who", `${entry.actor.name} (${entry.actor.kind})`],
          [
            "From",
            entry.address === null ? null : (
              <span key="address" className="mono">
                {entry.address}
              </span>
            ),
          ],
          [
            "Action",
            <span key="action" className="mono">
              {entry.action}
            </span>,
          ],
          ["On", <span key="target" className="mono wrap-anywhere">{`${entry.target.kind} ${entry.target.id}`}</span>],
          [
            "Request",
            entry.requestId === null ? null : (
              <span key="request" className="mono wrap-anywhere">
                {entry.requestId}
              </span>
            ),
          ],
        ]}
      />
      {names.length === 0 ? null : (
        <table className="mt-4 w-full border-collapse text-left">
          <caption className="sr-only">Before and after</caption>
          <thead>
            <tr className="border-b border-line text-sm text-ink-3">
              <th className="h-7 pr-3 font-medium">What</th>
              {before === null ? null : <th className="pr-3 font-medium">Before</th>}
              {after === null ? null : <th className="font-medium">After</th>}
            </tr>
          </thead>
          <tbody>
            {names.map((name) => (
              <tr key={name} className="border-b border-line align-top last:border-0">
                <th scope="row" className="py-1.5 pr-3 font-normal text-ink-2">
                  {name}
                </th>
                {before === null ? null : <td className="py-1.5 pr-3 wrap-anywhere">{asText(before[name])}</td>}
                {after === null ? null : <td className="py-1.5 wrap-anywhere">{asText(after[name])}</td>}
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </Dialog>
  );
}

function asText(value: unknown): string {
  if (value === undefined || value === null) return "—";
  return Array.isArray(value) ? value.join(", ") : String(value);
}

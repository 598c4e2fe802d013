"use client";

import { useQuery } from "@tanstack/react-query";
import Link from "next/link";
import { Card } from "#components/ui/card.tsx";
import { ErrorPanel } from "#components/ui/error-panel.tsx";
import { api } from "#lib/client/api.ts";
import { count } from "#lib/client/format.ts";
import { keys } from "#lib/client/keys.ts";
import type { UpdateDevice } from "#lib/contracts/console/updates.ts";

const LOOKED_AT = 200;

type Group = { code: string; text: string; devices: number };

/** Devices of one state, grouped by the code they report. Says so when it has looked at some of them only. */
export function ReasonsCard({
  id,
  state,
  total,
  title,
}: {
  id: string;
  state: "failed" | "skipped";
  total: number;
  title: string;
}) {
  const query = { state, limit: LOOKED_AT };
  const { data, error, refetch } = useQuery({
    queryKey: keys.updates.devices(id, query),
    queryFn: ({ signal }) => api.listUpdateDevices(id, query, signal),
    enabled: total > 0,
  });
  if (total === 0) return null;
  if (error !== null) return <ErrorPanel what={title} error={error} retry={() => void refetch()} />;
  return (
    <Card title={title} aside={<span className="num text-sm text-ink-3">{count(total)}</span>}>
      <ul className="grid gap-2.5">
        {groupByCode(data?.data ?? []).map(({ code, text, devices }) => (
          <li key={code} className="grid grid-cols-[minmax(0,1fr)_auto] gap-3">
            <div className="min-w-0 wrap-anywhere">
              {text}
              <div className="mono text-ink-3">{code}</div>
            </div>
            <span className="num font-semibold">{count(devices)}</span>
          </li>
        ))}
      </ul>
      {total > LOOKED_AT ? (
        <p className="mt-2 text-sm text-ink-3">Counted over the first {count(LOOKED_AT)} of them.</p>
      ) : null}
      <p className="mt-3">
        <Link href={`/updates/${id}?state=${state}`} scroll={false} className="link">
          See {total === 1 ? "it" : `the ${count(total)}`}
        </Link>
      </p>
    </Card>
  );
}

function groupByCode(devices: readonly UpdateDevice[]): Group[] {
  const groups = new Map<string, Group>();
  for (const { reasonCode, reason } of devices) {
    const code = reasonCode ?? "none given";
    const group = groups.get(code) ?? { code, text: reason ?? "No reason was given.", devices: 0 };
    group.devices += 1;
    groups.set(code, group);
  }
  return [...groups.values()].sort((a, b) => b.devices - a.devices);
}

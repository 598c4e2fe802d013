"use client";

import { useQuery } from "@tanstack/react-query";
import Link from "next/link";
import { Card } from "#components/ui/card.tsx";
import { Pill } from "#components/ui/status.tsx";
import { RelativeTime } from "#components/ui/time.tsx";
import { api } from "#lib/client/api.ts";
import { keys } from "#lib/client/keys.ts";
import type { MenderLogEntry } from "#lib/contracts/console/mender.ts";
import { MENDER_OUTCOME } from "./texts.ts";

const LATEST = 3;

/** The latest that came of the device's requests at the Mender door, with a way to all of it. */
export function MenderOutcomes({ uuid }: { uuid: string }) {
  const entries = useOutcomes(uuid);
  return (
    <div className="grid gap-2 border-t border-line pt-3">
      {entries.map(({ id, outcome, sentence, lastAt }) => (
        <div key={id} className="grid gap-0.5">
          <div className="flex items-center justify-between gap-2">
            <Pill tone={MENDER_OUTCOME[outcome].tone}>{MENDER_OUTCOME[outcome].word}</Pill>
            <RelativeTime at={lastAt} bare className="text-sm text-ink-3" />
          </div>
          <p className="text-sm text-ink-2">{sentence}</p>
        </div>
      ))}
      <Link href={`/settings/mender?device=${uuid}`} prefetch={false} className="link text-sm">
        What was preauthorized
      </Link>
    </div>
  );
}

/** For a device that the Mender server does not list: only where it has asked at the door. */
export function MenderOutcomesCard({ uuid }: { uuid: string }) {
  if (useOutcomes(uuid).length === 0) return null;
  return (
    <Card title="Mender">
      <p className="pb-3 text-ink-2">The Mender server does not list this device.</p>
      <MenderOutcomes uuid={uuid} />
    </Card>
  );
}

function useOutcomes(uuid: string): readonly MenderLogEntry[] {
  const query = { deviceUuid: uuid, limit: LATEST };
  const { data } = useQuery({
    queryKey: keys.backends.menderLog(query),
    queryFn: ({ signal }) => api.listMenderLog(query, signal),
  });
  return data?.data ?? [];
}

"use client";

import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { Ban, Check } from "lucide-react";
import { Button } from "#components/ui/button.tsx";
import { Card } from "#components/ui/card.tsx";
import { cx } from "#components/ui/cx.ts";
import { ErrorPanel } from "#components/ui/error-panel.tsx";
import { api } from "#lib/client/api.ts";
import { count, plural } from "#lib/client/format.ts";
import type { CreateUpdate, Preview } from "#lib/contracts/console/updates.ts";

const SHOWN = 100;

type PlanPreviewProps = {
  body: Omit<CreateUpdate, "dryRun">;
  ready: boolean;
  missing: string;
  launching: boolean;
  launchError: unknown;
  onLaunch: () => void;
};

/** Who will be hit and who will not, with the reason, asked of the server by the very function that decides at the launch. */
export function PlanPreview({ body, ready, missing, launching, launchError, onLaunch }: PlanPreviewProps) {
  const { data, error, isFetching, refetch } = useQuery({
    queryKey: ["updates", "preview", body.targets, [...body.devices].sort()],
    queryFn: ({ signal }) => api.previewUpdate(body, signal),
    enabled: ready,
    placeholderData: keepPreviousData,
  });
  const preview = ready ? data : undefined;
  const hit = preview?.counts.eligible ?? 0;
  return (
    <Card title="Preview" aside={isFetching ? <span className="text-sm text-ink-3">asking…</span> : null}>
      <div aria-live="polite" className="grid gap-3.5">
        {!ready ? <p className="text-ink-2">{missing}</p> : null}
        {ready && error !== null ? <ErrorPanel what="The preview" error={error} retry={() => void refetch()} /> : null}
        {preview === undefined || error !== null ? null : <Verdicts preview={preview} />}
        {launchError === null || launchError === undefined ? null : (
          <ErrorPanel what="Not launched" error={launchError} />
        )}
        <div className="flex justify-end">
          <Button
            look="primary"
            busy={launching}
            disabled={!ready || hit === 0 || error !== null || isFetching}
            onClick={onLaunch}
          >
            {hit === 0 ? "Update no device" : `Update ${plural(hit, "device")}`}
          </Button>
        </div>
      </div>
    </Card>
  );
}

function Verdicts({ preview }: { preview: Preview }) {
  const { total, eligible, skipped } = preview.counts;
  // What is left out is what a person has to look at: it stands first.
  const ordered = [...preview.devices].sort((a, b) => Number(a.eligible) - Number(b.eligible));
  return (
    <div>
      <p className="font-strong">
        {count(eligible)} of {plural(total, "device")} will be updated
        {skipped === 0 ? "." : `; ${count(skipped)} will be left out.`}
      </p>
      <ul className="mt-2 max-h-80 overflow-y-auto border-t border-line">
        {ordered.slice(0, SHOWN).map(({ uuid, name, eligible: hit, reasons }) => (
          <li
            key={uuid}
            className="grid grid-cols-[16px_minmax(0,160px)_minmax(0,1fr)] gap-x-2.5 border-b border-line py-1.5 max-sm:grid-cols-[16px_minmax(0,1fr)]"
          >
            {hit ? (
              <Check aria-hidden className="mt-[3px] size-3.5 text-ok" />
            ) : (
              <Ban aria-hidden className="mt-[3px] size-3.5 text-ink-3" />
            )}
            <span className={cx("truncate font-strong", !hit && "text-ink-2")}>{name ?? uuid}</span>
            <span className="text-ink-2 wrap-anywhere max-sm:col-start-2">
              {hit ? "will be updated" : reasons[0]?.text}
              {hit && reasons.length > 0 ? `; not all of it: ${reasons.map(({ text }) => text).join(" ")}` : ""}
            </span>
          </li>
        ))}
      </ul>
      {ordered.length > SHOWN ? (
        <p className="mt-2 text-sm text-ink-3">
          The first {count(SHOWN)} of {count(ordered.length)} are shown.
        </p>
      ) : null}
    </div>
  );
}

"use client";

import { useQuery } from "@tanstack/react-query";
import { CircleAlert, CirclePause } from "lucide-react";
import dynamic from "next/dynamic";
import { parseAsString, useQueryState, useQueryStates } from "nuqs";
import { GuardedButton } from "#components/shell/me.tsx";
import { Callout } from "#components/ui/callout.tsx";
import { Card, Facts } from "#components/ui/card.tsx";
import { Digest } from "#components/ui/digest.tsx";
import { ErrorPanel } from "#components/ui/error-panel.tsx";
import { Columns, PageHead } from "#components/ui/page.tsx";
import { Pill, UPDATE_STATE } from "#components/ui/status.tsx";
import { AbsoluteTime, RelativeTime } from "#components/ui/time.tsx";
import { api } from "#lib/client/api.ts";
import { count, plural } from "#lib/client/format.ts";
import { keys } from "#lib/client/keys.ts";
import { updateDeviceParams } from "#lib/client/update-params.ts";
import type { Update } from "#lib/contracts/console/updates.ts";
import { openCount } from "./counts.ts";
import { ReasonsCard } from "./reasons-card.tsx";
import { StateBar, StateLegend } from "./state-bar.tsx";
import { TargetsText } from "./targets-text.tsx";
import { UpdateDevices } from "./update-devices.tsx";

const CancelDialog = dynamic(() => import("./cancel-dialog.tsx").then((module) => module.CancelDialog));

/** One update, live: how far each device is, and why. */
export function UpdatePage({ id }: { id: string }) {
  const [params, setParams] = useQueryStates(updateDeviceParams, { history: "push", scroll: false });
  const [open, setOpen] = useQueryState("open", parseAsString.withDefault(""));
  const {
    data: update,
    error,
    refetch,
  } = useQuery({
    queryKey: keys.updates.one(id),
    queryFn: ({ signal }) => api.getUpdate(id, signal),
  });
  if (update === undefined) {
    return error === null ? null : <ErrorPanel what="The update" error={error} retry={() => void refetch()} />;
  }
  const look = UPDATE_STATE[update.state];
  const cancellable = update.state === "launching" || update.state === "running";
  return (
    <>
      <PageHead
        trail={{ href: "/updates", label: "Updates" }}
        title={update.name}
        beside={
          <Pill tone={look.tone} icon={look.icon} tip={look.hint}>
            {look.word}
          </Pill>
        }
        meta={
          <>
            <TargetsText targets={update.targets} links /> · launched <RelativeTime at={update.createdAt} /> by{" "}
            {update.createdBy}
          </>
        }
        actions={
          cancellable ? (
            <GuardedButton permission="update.cancel" look="danger" onClick={() => void setOpen("cancel")}>
              Cancel update…
            </GuardedButton>
          ) : null
        }
      />
      <div className="grid gap-5">
        {update.trouble === null ? null : (
          <Callout tone="warn" icon={CirclePause} title="It waits for a back end.">
            {update.trouble} It is tried again by itself.
          </Callout>
        )}
        {update.counts.failed > 0 ? <FailureCallout update={update} /> : null}
        <Card
          title={plural(update.counts.total, "device")}
          aside={<span className="num text-sm text-ink-3">{progressText(update)}</span>}
        >
          <StateBar counts={update.counts} className="h-2.5" />
          <StateLegend
            counts={update.counts}
            current={params.state}
            hrefOf={(state) => `/updates/${id}${state === "" ? "" : `?state=${state}`}`}
          />
        </Card>
        <Columns
          aside={
            <>
              <ReasonsCard id={id} state="failed" total={update.counts.failed} title="Why devices failed" />
              <ReasonsCard id={id} state="skipped" total={update.counts.skipped} title="Skipped, with reason" />
              <Card title="Details">
                <Facts
                  rows={[
                    ["Launched", <AbsoluteTime key="at" at={update.createdAt} />],
                    ["By", update.createdBy],
                    ["Ended", update.finishedAt === null ? null : <AbsoluteTime key="end" at={update.finishedAt} />],
                    [
                      "Correlation",
                      <Digest
                        key="id"
                        value={update.correlationId}
                        label="correlation id"
                        short={`…${update.correlationId.slice(-12)}`}
                      />,
                    ],
                  ]}
                />
              </Card>
            </>
          }
        >
          <UpdateDevices
            id={id}
            params={params}
            setParams={(change) => void setParams(change)}
            counts={update.counts}
          />
        </Columns>
      </div>
      {open === "cancel" && cancellable ? <CancelDialog update={update} onClose={() => void setOpen(null)} /> : null}
    </>
  );
}

function FailureCallout({ update }: { update: Update }) {
  const { failed, total } = update.counts;
  return (
    <Callout tone="bad" icon={CircleAlert} title={`${count(failed)} of ${plural(total, "device")} failed.`}>
      Each device's own report stands beside it. A failed device keeps running what it ran before and can be updated
      again.
    </Callout>
  );
}

function progressText(update: Update): string {
  const open = openCount(update.counts);
  if (open > 0) return `${count(update.counts.updated)} proven, ${count(open)} under way`;
  return `${count(update.counts.updated)} proven`;
}

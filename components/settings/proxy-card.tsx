"use client";

import { useQuery } from "@tanstack/react-query";
import { CircleAlert, ShieldCheck } from "lucide-react";
import { GuardedButton } from "#components/shell/me.tsx";
import { Callout } from "#components/ui/callout.tsx";
import { Card, Facts } from "#components/ui/card.tsx";
import { ErrorPanel } from "#components/ui/error-panel.tsx";
import { FormError } from "#components/ui/form-error.tsx";
import { Pill, type Tone } from "#components/ui/status.tsx";
import { RelativeTime } from "#components/ui/time.tsx";
import { api } from "#lib/client/api.ts";
import { keys } from "#lib/client/keys.ts";
import { useCheckHeaderMode } from "#lib/client/mutations.ts";
import type { HeaderMode } from "#lib/contracts/console/header-mode.ts";

const LOOK_AGAIN_MS = 5_000;

const STATES: Readonly<Record<HeaderMode["state"], { tone: Tone; word: string }>> = {
  on: { tone: "ok", word: "believed" },
  off: { tone: "warn", word: "not believed" },
  failed: { tone: "bad", word: "failed the test" },
};

/** Whether the gateway believes a proxy that says which device asks. Nothing where no proxy is set. */
export function ProxyCard() {
  const { data, error, refetch } = useQuery({
    queryKey: keys.backends.headerMode,
    queryFn: ({ signal }) => api.getHeaderMode(signal),
    refetchInterval: LOOK_AGAIN_MS,
  });
  if (error !== null && data === undefined) {
    return <ErrorPanel what="The state of the proxy" error={error} retry={() => void refetch()} />;
  }
  return data === undefined || data.publicUrl === null ? null : <Tested mode={data} url={data.publicUrl} />;
}

function Tested({ mode, url }: { mode: HeaderMode; url: string }) {
  const check = useCheckHeaderMode();
  const { tone, word } = STATES[mode.state];
  return (
    <Card
      title="Proxy in front of devices"
      aside={
        <>
          <Pill tone={tone}>{word}</Pill>
          <GuardedButton
            permission="backend.administer"
            size="sm"
            busy={check.isPending}
            onClick={() => check.mutate()}
          >
            Test the proxy now
          </GuardedButton>
        </>
      }
    >
      <div className="grid gap-3">
        {mode.state === "failed" ? (
          <Callout tone="bad" icon={CircleAlert} title="A forged header was believed, so the proxy is not.">
            Devices that come through it get 503 until it is mended and passes a test that a person asked for.
          </Callout>
        ) : null}
        <Facts
          rows={[
            [
              "Address",
              <span key="address" className="mono">
                {url}
              </span>,
            ],
            ["Last test", mode.checkedAt === null ? "none yet" : <RelativeTime key="checked" at={mode.checkedAt} />],
            ["It found", mode.detail],
          ]}
        />
        <p className="flex gap-2 text-sm text-ink-2">
          <ShieldCheck aria-hidden className="mt-0.5 size-4 shrink-0" />
          The gateway comes to this address every five minutes with forged headers, and believes the proxy only while
          none gets through.
        </p>
        <FormError what="Not tested" error={check.error} />
      </div>
    </Card>
  );
}

"use client";

import dynamic from "next/dynamic";
import { useState } from "react";
import { GuardedButton } from "#components/shell/me.tsx";
import { Card, Facts } from "#components/ui/card.tsx";
import { Fingerprint } from "#components/ui/digest.tsx";
import { AbsoluteTime } from "#components/ui/time.tsx";
import type { ServerCa } from "#lib/contracts/console/server-ca.ts";
import { ValidityBar } from "./validity-bar.tsx";

const PrepareServerCaDialog = dynamic(() =>
  import("./server-ca-dialogs.tsx").then((module) => module.PrepareServerCaDialog),
);
const SwitchServerCaDialog = dynamic(() =>
  import("./server-ca-dialogs.tsx").then((module) => module.SwitchServerCaDialog),
);

const CancelServerCaDialog = dynamic(() =>
  import("./server-ca-dialogs.tsx").then((module) => module.CancelServerCaDialog),
);

export function ServerCaCards({ serverCa: { current, next, ownCertificate } }: { serverCa: ServerCa }) {
  const [open, setOpen] = useState<"prepare" | "switch" | "cancel" | null>(null);
  const close = () => setOpen(null);
  return (
    <>
      <Card
        title="In force"
        aside={
          next === null ? (
            <GuardedButton
              permission="authority.manage"
              size="sm"
              blocked={
                ownCertificate ? "The device door shows your own certificate, so its CA is yours to replace." : null
              }
              onClick={() => setOpen("prepare")}
            >
              Prepare the next…
            </GuardedButton>
          ) : undefined
        }
      >
        <About it={current} />
      </Card>
      {next === null ? null : (
        <Card
          title="Next"
          aside={
            <div className="flex flex-wrap gap-2">
              <GuardedButton permission="authority.manage" size="sm" onClick={() => setOpen("cancel")}>
                Drop it…
              </GuardedButton>
              <GuardedButton permission="authority.manage" size="sm" look="danger" onClick={() => setOpen("switch")}>
                Switch the old one off…
              </GuardedButton>
            </div>
          }
        >
          <p className="mb-3 text-ink-2">
            The doors are believed by either. New credentials carry this one from{" "}
            <AbsoluteTime at={next.handedOutFrom} /> on.
          </p>
          <About it={next} />
        </Card>
      )}
      {open === "prepare" ? <PrepareServerCaDialog onClose={close} /> : null}
      {open === "switch" ? <SwitchServerCaDialog onClose={close} /> : null}
      {open === "cancel" ? <CancelServerCaDialog onClose={close} /> : null}
    </>
  );
}

function About({ it }: { it: ServerCa["current"] }) {
  return (
    <div className="grid gap-3.5">
      <Facts
        rows={[
          [
            "Subject",
            <span key="subject" className="mono">
              {it.subject}
            </span>,
          ],
          ["Fingerprint", <Fingerprint key="fingerprint" value={it.fingerprint} />],
          ["Made", <AbsoluteTime key="made" at={it.createdAt} />],
        ]}
      />
      <ValidityBar certificate={{ state: "allowed", notBefore: it.notBefore, notAfter: it.notAfter }} />
    </div>
  );
}

"use client";

import dynamic from "next/dynamic";
import Link from "next/link";
import { useState } from "react";
import { GuardedButton } from "#components/shell/me.tsx";
import { Button } from "#components/ui/button.tsx";
import type { Refusal } from "#lib/contracts/console/refusals.ts";
import { wordsOf } from "#lib/domain/refusals.ts";

const AdmitDialog = dynamic(() => import("./admit-dialog.tsx").then((module) => module.AdmitDialog));
const RefusalDialog = dynamic(() => import("./refusal-dialog.tsx").then((module) => module.RefusalDialog));

/** What can be done about a refused attempt; where nothing can, the button says what helps instead. */
export function RefusalActions({ refusal }: { refusal: Refusal }) {
  const [open, setOpen] = useState<"none" | "admit" | "details">("none");
  const close = () => setOpen("none");
  const { remedy, fingerprint, code } = refusal;
  return (
    <span className="flex items-center justify-end gap-1.5">
      {remedy === "look" && fingerprint !== null ? (
        <Link href={`/trust/certificates/${fingerprint}`} prefetch={false} className="link">
          Look at it
        </Link>
      ) : (
        <GuardedButton
          permission="certificate.decide"
          size="sm"
          blocked={remedy === "admit" ? null : (wordsOf(code)?.mend ?? "It can't be let in from here.")}
          onClick={() => setOpen("admit")}
        >
          Admit…
        </GuardedButton>
      )}
      <Button size="sm" look="quiet" onClick={() => setOpen("details")}>
        Details
      </Button>
      {open === "admit" ? <AdmitDialog refusal={refusal} onClose={close} /> : null}
      {open === "details" ? <RefusalDialog refusal={refusal} onClose={close} /> : null}
    </span>
  );
}

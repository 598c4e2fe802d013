"use client";

import dynamic from "next/dynamic";
import { useState } from "react";
import { GuardedButton } from "#components/shell/me.tsx";
import type { Certificate } from "#lib/contracts/console/certificates.ts";

const ApproveDialog = dynamic(() => import("./approve-dialog.tsx").then((module) => module.ApproveDialog));
const RejectDialog = dynamic(() => import("./reject-dialog.tsx").then((module) => module.RejectDialog));
const HoldDialog = dynamic(() => import("./hold-dialog.tsx").then((module) => module.HoldDialog));
const ReleaseDialog = dynamic(() => import("./release-dialog.tsx").then((module) => module.ReleaseDialog));
const RevokeDialog = dynamic(() => import("./revoke-dialog.tsx").then((module) => module.RevokeDialog));

/** What can still be decided, by its state. Rejected, revoked, superseded and expired are final. */
export function CertificateActions({ certificate }: { certificate: Certificate }) {
  const [open, setOpen] = useState<"none" | "approve" | "reject" | "hold" | "release" | "revoke">("none");
  const close = () => setOpen("none");
  const { state } = certificate;
  return (
    <span className="flex items-center justify-end gap-1.5">
      {state === "pending" ? (
        <>
          <GuardedButton permission="certificate.decide" size="sm" onClick={() => setOpen("approve")}>
            Approve…
          </GuardedButton>
          <GuardedButton permission="certificate.decide" size="sm" look="quiet" onClick={() => setOpen("reject")}>
            Reject…
          </GuardedButton>
        </>
      ) : null}
      {state === "allowed" ? (
        <GuardedButton permission="certificate.decide" size="sm" look="quiet" onClick={() => setOpen("hold")}>
          Hold…
        </GuardedButton>
      ) : null}
      {state === "held" ? (
        <GuardedButton permission="certificate.decide" size="sm" onClick={() => setOpen("release")}>
          Release…
        </GuardedButton>
      ) : null}
      {state === "allowed" || state === "held" || state === "superseded" ? (
        <GuardedButton permission="certificate.decide" size="sm" look="danger" onClick={() => setOpen("revoke")}>
          Revoke…
        </GuardedButton>
      ) : null}
      {open === "approve" ? <ApproveDialog certificates={[certificate]} onClose={close} /> : null}
      {open === "reject" ? <RejectDialog certificates={[certificate]} onClose={close} /> : null}
      {open === "hold" ? <HoldDialog certificate={certificate} onClose={close} /> : null}
      {open === "release" ? <ReleaseDialog certificate={certificate} onClose={close} /> : null}
      {open === "revoke" ? <RevokeDialog certificates={[certificate]} onClose={close} /> : null}
    </span>
  );
}

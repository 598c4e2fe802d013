"use client";

import dynamic from "next/dynamic";
import { useState } from "react";
import { GuardedButton } from "#components/shell/me.tsx";
import { plural } from "#lib/client/format.ts";
import type { Certificate } from "#lib/contracts/console/certificates.ts";

const ApproveDialog = dynamic(() => import("./approve-dialog.tsx").then((module) => module.ApproveDialog));
const RejectDialog = dynamic(() => import("./reject-dialog.tsx").then((module) => module.RejectDialog));

type DecideBarProps = { certificates: readonly Certificate[]; onDone: () => void };

/** Decides about the ticked ones together. */
export function DecideBar({ certificates, onDone }: DecideBarProps) {
  const [open, setOpen] = useState<"none" | "approve" | "reject">("none");
  const close = () => setOpen("none");
  const { length } = certificates;
  if (length === 0) return null;
  return (
    <div className="sticky bottom-4 z-10 mx-auto mt-4 flex w-max max-w-full items-center gap-2 rounded-xl border border-line-strong bg-raised py-[7px] pr-2 pl-3.5 shadow-float">
      <span role="status" className="num font-strong">
        {length} selected
      </span>
      <span className="w-2" />
      <GuardedButton permission="certificate.decide" size="sm" look="primary" onClick={() => setOpen("approve")}>
        Approve {plural(length, "device")}
      </GuardedButton>
      <GuardedButton permission="certificate.decide" size="sm" look="danger" onClick={() => setOpen("reject")}>
        Reject {length}
      </GuardedButton>
      {open === "approve" ? <ApproveDialog certificates={certificates} onClose={close} onDone={onDone} /> : null}
      {open === "reject" ? <RejectDialog certificates={certificates} onClose={close} onDone={onDone} /> : null}
    </div>
  );
}

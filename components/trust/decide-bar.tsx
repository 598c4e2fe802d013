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
  // What was ticked when the dialog opened: rows leave the page one by one while they are decided about.
  const [deciding, setDeciding] = useState<{ act: "approve" | "reject"; on: readonly Certificate[] } | null>(null);
  const close = () => setDeciding(null);
  const { length } = certificates;
  const open = (act: "approve" | "reject") => setDeciding({ act, on: certificates });
  if (deciding?.act === "approve") return <ApproveDialog certificates={deciding.on} onClose={close} onDone={onDone} />;
  if (deciding?.act === "reject") return <RejectDialog certificates={deciding.on} onClose={close} onDone={onDone} />;
  if (length === 0) return null;
  return (
    <div className="sticky bottom-4 z-10 mx-auto mt-4 flex w-max max-w-full items-center gap-2 rounded-xl border border-line-strong bg-raised py-[7px] pr-2 pl-3.5 shadow-float">
      <span role="status" className="num font-strong">
        {length} selected
      </span>
      <span className="w-2" />
      <GuardedButton permission="certificate.decide" size="sm" look="primary" onClick={() => open("approve")}>
        Approve {plural(length, "device")}
      </GuardedButton>
      <GuardedButton permission="certificate.decide" size="sm" look="danger" onClick={() => open("reject")}>
        Reject {length}
      </GuardedButton>
    </div>
  );
}

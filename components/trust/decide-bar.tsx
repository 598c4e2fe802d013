"use client";

import dynamic from "next/dynamic";
import { useState } from "react";
import { GuardedButton } from "#components/shell/me.tsx";
import { Button } from "#components/ui/button.tsx";
import { SelectionBar } from "#components/ui/selection-bar.tsx";
import { plural } from "#lib/client/format.ts";
import type { CertificateFilter } from "#lib/contracts/console/certificate-batches.ts";
import type { Certificate } from "#lib/contracts/console/certificates.ts";

const ApproveDialog = dynamic(() => import("./approve-dialog.tsx").then((module) => module.ApproveDialog));
const RejectDialog = dynamic(() => import("./reject-dialog.tsx").then((module) => module.RejectDialog));

type DecideBarProps = {
  certificates: readonly Certificate[];
  /** All that wait, when every row of the page is ticked and there are more. */
  everyone: { matching: CertificateFilter; count: number } | null;
  onDone: () => void;
};

type Deciding = { act: "approve" | "reject"; on: readonly Certificate[]; all: DecideBarProps["everyone"] };

/** Decides about the ticked ones together, or about all that wait. */
export function DecideBar({ certificates, everyone, onDone }: DecideBarProps) {
  // What was ticked when the dialog opened: rows leave the page one by one while they are decided about.
  const [deciding, setDeciding] = useState<Deciding | null>(null);
  const [takesAll, setTakesAll] = useState(false);
  const all = takesAll ? everyone : null;
  const length = all?.count ?? certificates.length;
  const open = (act: "approve" | "reject") => setDeciding({ act, on: certificates, all });
  if (deciding !== null) {
    const Deciding = deciding.act === "approve" ? ApproveDialog : RejectDialog;
    return (
      <Deciding
        certificates={deciding.on}
        everyone={everyoneOf(deciding.all)}
        onClose={() => setDeciding(null)}
        onDone={onDone}
      />
    );
  }
  if (length === 0) return null;
  return (
    <SelectionBar count={length}>
      {everyone === null ? null : (
        <Button size="sm" look="quiet" onClick={() => setTakesAll(!takesAll)}>
          {takesAll ? "Only the ticked ones" : `All ${everyone.count} that wait`}
        </Button>
      )}
      <GuardedButton permission="certificate.decide" size="sm" look="primary" onClick={() => open("approve")}>
        Approve {plural(length, "device")}
      </GuardedButton>
      <GuardedButton permission="certificate.decide" size="sm" look="danger" onClick={() => open("reject")}>
        Reject {length}
      </GuardedButton>
    </SelectionBar>
  );
}

function everyoneOf(all: DecideBarProps["everyone"]) {
  return all === null ? undefined : { chosen: { matching: all.matching, expected: all.count }, count: all.count };
}

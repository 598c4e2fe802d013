"use client";

import dynamic from "next/dynamic";
import { useState } from "react";
import { GuardedButton } from "#components/shell/me.tsx";
import { Button } from "#components/ui/button.tsx";
import { SelectionBar } from "#components/ui/selection-bar.tsx";
import { plural } from "#lib/client/format.ts";
import type { CertificateFilter } from "#lib/contracts/console/certificate-batches.ts";
import type { Certificate } from "#lib/contracts/console/certificates.ts";

const RevokeDialog = dynamic(() => import("./revoke-dialog.tsx").then((module) => module.RevokeDialog));

type RevokeBarProps = {
  certificates: readonly Certificate[];
  /** All that match the filters, when every row of the page is ticked, there are more, and all of them can be revoked. */
  everyone: { matching: CertificateFilter; count: number } | null;
  onDone: () => void;
};

/** Revokes the ticked ones together, or all that match the filters. */
export function RevokeBar({ certificates, everyone, onDone }: RevokeBarProps) {
  const [revoking, setRevoking] = useState<RevokeBarProps | null>(null);
  const [takesAll, setTakesAll] = useState(false);
  const all = takesAll ? everyone : null;
  const length = all?.count ?? certificates.length;
  if (revoking !== null) {
    const { everyone: chosen } = revoking;
    return (
      <RevokeDialog
        certificates={revoking.certificates}
        everyone={
          chosen === null
            ? undefined
            : { chosen: { matching: chosen.matching, expected: chosen.count }, count: chosen.count }
        }
        onClose={() => setRevoking(null)}
        onDone={onDone}
      />
    );
  }
  if (length === 0) return null;
  return (
    <SelectionBar count={length}>
      {everyone === null ? null : (
        <Button size="sm" look="quiet" onClick={() => setTakesAll(!takesAll)}>
          {takesAll ? "Only the ticked ones" : `All ${everyone.count} that match`}
        </Button>
      )}
      <GuardedButton
        permission="certificate.decide"
        size="sm"
        look="danger"
        onClick={() => setRevoking({ certificates, everyone: all, onDone })}
      >
        Revoke {plural(length, "certificate")}…
      </GuardedButton>
    </SelectionBar>
  );
}

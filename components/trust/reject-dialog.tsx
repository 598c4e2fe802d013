"use client";

import { useState } from "react";
import { ConfirmDialog } from "#components/ui/confirm-dialog.tsx";
import { Fingerprint } from "#components/ui/digest.tsx";
import { type Chosen, useRejectCertificates } from "#lib/client/admission.ts";
import { afterwards } from "#lib/client/afterwards.ts";
import { plural } from "#lib/client/format.ts";
import type { Certificate } from "#lib/contracts/console/certificates.ts";
import { NameList } from "./approve-dialog.tsx";
import { tellOutcome } from "./decision-outcome.ts";
import { certificateName } from "./names.ts";
import { NoteField, noteOf } from "./note-field.tsx";

type RejectDialogProps = {
  certificates: readonly Certificate[];
  /** All that match, of whom `certificates` are the ones in sight. */
  everyone?: { chosen: Chosen; count: number } | undefined;
  onClose: () => void;
  onDone?: () => void;
};

export function RejectDialog({ certificates, everyone, onClose, onDone }: RejectDialogProps) {
  const [note, setNote] = useState("");
  const reject = useRejectCertificates();
  const count = everyone?.count ?? certificates.length;
  const only = count === 1 ? certificates[0] : undefined;
  const chosen = everyone?.chosen ?? { fingerprints: certificates.map(({ fingerprint }) => fingerprint) };
  const submit = () =>
    afterwards(reject.mutateAsync({ chosen, ...noteOf(note) }), (batch) => {
      tellOutcome(batch, "rejected");
      onDone?.();
      onClose();
    });
  return (
    <ConfirmDialog
      title={only === undefined ? `Reject ${plural(count, "certificate")}?` : `Reject ${certificateName(only)}?`}
      confirm={only === undefined ? `Reject ${plural(count, "certificate")}` : "Reject this certificate"}
      affects={count}
      busy={reject.isPending}
      error={reject.error}
      onConfirm={submit}
      onClose={onClose}
    >
      <p>
        {only === undefined ? "These certificates are" : "This certificate is"} refused at the door for good. No device
        is created. The same hardware can come again with a new certificate, and waits again.
      </p>
      {only === undefined ? <NameList certificates={certificates} /> : <Fingerprint value={only.fingerprint} />}
      <NoteField value={note} onChange={setNote} />
    </ConfirmDialog>
  );
}

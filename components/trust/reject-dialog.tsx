"use client";

import { useState } from "react";
import { ConfirmDialog } from "#components/ui/confirm-dialog.tsx";
import { Fingerprint } from "#components/ui/digest.tsx";
import { Field, Textarea } from "#components/ui/field.tsx";
import { afterwards } from "#lib/client/afterwards.ts";
import { plural } from "#lib/client/format.ts";
import { useRejectCertificates } from "#lib/client/mutations.ts";
import type { Certificate } from "#lib/contracts/console/certificates.ts";
import { NameList } from "./approve-dialog.tsx";
import { tellOutcome } from "./decision-outcome.ts";
import { certificateName } from "./names.ts";

type RejectDialogProps = { certificates: readonly Certificate[]; onClose: () => void; onDone?: () => void };

export function RejectDialog({ certificates, onClose, onDone }: RejectDialogProps) {
  const [note, setNote] = useState("");
  const reject = useRejectCertificates();
  const [first] = certificates;
  const only = certificates.length === 1 ? first : undefined;
  const submit = () =>
    afterwards(
      reject.mutateAsync({
        fingerprints: certificates.map(({ fingerprint }) => fingerprint),
        ...(note.trim() !== "" && { note: note.trim() }),
      }),
      (batch) => {
        tellOutcome(batch, "rejected");
        onDone?.();
        onClose();
      },
    );
  return (
    <ConfirmDialog
      title={
        only === undefined
          ? `Reject ${plural(certificates.length, "certificate")}?`
          : `Reject ${certificateName(only)}?`
      }
      confirm={only === undefined ? `Reject ${plural(certificates.length, "certificate")}` : "Reject this certificate"}
      affects={certificates.length}
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
      <Field label="Note" optional hint="Kept with the decision and in the audit log.">
        <Textarea maxLength={500} value={note} onChange={(event) => setNote(event.target.value)} />
      </Field>
    </ConfirmDialog>
  );
}

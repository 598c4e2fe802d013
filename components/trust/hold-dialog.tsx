"use client";

import { useState } from "react";
import { ConfirmDialog } from "#components/ui/confirm-dialog.tsx";
import { Fingerprint } from "#components/ui/digest.tsx";
import { toast } from "#components/ui/toast.tsx";
import { useHoldCertificate } from "#lib/client/admission.ts";
import { afterwards } from "#lib/client/afterwards.ts";
import type { Certificate } from "#lib/contracts/console/certificates.ts";
import { certificateName } from "./names.ts";
import { NoteField, noteOf } from "./note-field.tsx";

export function HoldDialog({ certificate, onClose }: { certificate: Certificate; onClose: () => void }) {
  const [note, setNote] = useState("");
  const hold = useHoldCertificate(certificate.fingerprint);
  const name = certificateName(certificate);
  const submit = () =>
    afterwards(hold.mutateAsync(noteOf(note)), () => {
      toast.done(`The certificate of ${name} is on hold`);
      onClose();
    });
  return (
    <ConfirmDialog
      title={`Put the certificate of ${name} on hold?`}
      confirm="Put on hold"
      busy={hold.isPending}
      error={hold.error}
      onConfirm={submit}
      onClose={onClose}
    >
      <Fingerprint value={certificate.fingerprint} />
      <p>
        Its open connections are cut within a second and every later one is refused, until somebody releases it. It
        stands on the authority's list of revoked certificates as on hold.
      </p>
      <NoteField value={note} onChange={setNote} />
    </ConfirmDialog>
  );
}

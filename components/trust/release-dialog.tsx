"use client";

import { useState } from "react";
import { ConfirmDialog } from "#components/ui/confirm-dialog.tsx";
import { Fingerprint } from "#components/ui/digest.tsx";
import { toast } from "#components/ui/toast.tsx";
import { useReleaseCertificate } from "#lib/client/admission.ts";
import { afterwards } from "#lib/client/afterwards.ts";
import type { Certificate } from "#lib/contracts/console/certificates.ts";
import { certificateName } from "./names.ts";
import { NoteField, noteOf } from "./note-field.tsx";

export function ReleaseDialog({ certificate, onClose }: { certificate: Certificate; onClose: () => void }) {
  const [note, setNote] = useState("");
  const release = useReleaseCertificate(certificate.fingerprint);
  const name = certificateName(certificate);
  const submit = () =>
    afterwards(release.mutateAsync(noteOf(note)), () => {
      toast.done(`The certificate of ${name} is released`);
      onClose();
    });
  return (
    <ConfirmDialog
      title={`Release the certificate of ${name}?`}
      confirm="Let it in again"
      danger={false}
      busy={release.isPending}
      error={release.error}
      onConfirm={submit}
      onClose={onClose}
    >
      <Fingerprint value={certificate.fingerprint} />
      <p>It may come through the door again within a second, as before it was put on hold.</p>
      <NoteField value={note} onChange={setNote} />
    </ConfirmDialog>
  );
}

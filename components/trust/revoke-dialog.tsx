"use client";

import { useState } from "react";
import { ConfirmDialog } from "#components/ui/confirm-dialog.tsx";
import { Fingerprint } from "#components/ui/digest.tsx";
import { Field, Select, Textarea } from "#components/ui/field.tsx";
import { toast } from "#components/ui/toast.tsx";
import { afterwards } from "#lib/client/afterwards.ts";
import { useRevokeCertificate } from "#lib/client/mutations.ts";
import type { Certificate, RevocationReason } from "#lib/contracts/console/certificates.ts";
import { certificateName, REASONS } from "./names.ts";

/** The names of RFC 5280 with what they mean; `certificateHold` is left out, because here revoking is for good. */
const CHOICES = Object.entries(REASONS).filter(([reason]) => reason !== "certificateHold");

export function RevokeDialog({ certificate, onClose }: { certificate: Certificate; onClose: () => void }) {
  const [reason, setReason] = useState<RevocationReason>("unspecified");
  const [note, setNote] = useState("");
  const revoke = useRevokeCertificate(certificate.fingerprint);
  const name = certificateName(certificate);
  const submit = () =>
    afterwards(revoke.mutateAsync({ reason, ...(note.trim() !== "" && { note: note.trim() }) }), () => {
      toast.done(`The certificate of ${name} is revoked`);
      onClose();
    });
  return (
    <ConfirmDialog
      title={`Revoke the certificate of ${name}?`}
      confirm="Revoke 1 certificate"
      busy={revoke.isPending}
      error={revoke.error}
      onConfirm={submit}
      onClose={onClose}
    >
      <Fingerprint value={certificate.fingerprint} />
      <p>
        Its open connections are cut within a second and every later one is refused. This can't be undone: the device
        needs a new certificate to come back.
      </p>
      <p>
        The device stays listed with its history, other devices are not touched, and what it has installed keeps
        running.
      </p>
      <Field label="Reason">
        <Select
          value={reason}
          onChange={(event) =>
            setReason(CHOICES.map(([name]) => name).find(isReason(event.target.value)) ?? "unspecified")
          }
        >
          {CHOICES.map(([value, words]) => (
            <option key={value} value={value}>
              {words} ({value})
            </option>
          ))}
        </Select>
      </Field>
      <Field label="Note" optional hint="Kept with the decision and in the audit log.">
        <Textarea maxLength={500} value={note} onChange={(event) => setNote(event.target.value)} />
      </Field>
    </ConfirmDialog>
  );
}

function isReason(text: string) {
  return (name: string): name is RevocationReason => name === text;
}

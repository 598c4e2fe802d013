"use client";

import { useState } from "react";
import { ConfirmDialog } from "#components/ui/confirm-dialog.tsx";
import { Fingerprint } from "#components/ui/digest.tsx";
import { Field, Input, Textarea } from "#components/ui/field.tsx";
import { toast } from "#components/ui/toast.tsx";
import { afterwards } from "#lib/client/afterwards.ts";
import { useAdmitRefused } from "#lib/client/mutations.ts";
import type { Refusal } from "#lib/contracts/console/refusals.ts";
import { commonName } from "./names.ts";

/** Puts a refused certificate on the allowlist, after saying what that does. */
export function AdmitDialog({ refusal, onClose }: { refusal: Refusal; onClose: () => void }) {
  const [name, setName] = useState("");
  const [note, setNote] = useState("");
  const admit = useAdmitRefused(refusal.id);
  const submit = () =>
    afterwards(
      admit.mutateAsync({
        ...(name.trim() !== "" && { name: name.trim() }),
        ...(note.trim() !== "" && { note: note.trim() }),
      }),
      ({ isIn }) => {
        toast.done(isIn ? "It is let in" : "It is let in from its next visit");
        onClose();
      },
    );
  return (
    <ConfirmDialog
      title={`Admit ${refusal.subject === null ? "this certificate" : commonName(refusal.subject)}?`}
      confirm="Admit this device"
      danger={false}
      affects={1}
      busy={admit.isPending}
      error={admit.error}
      onConfirm={submit}
      onClose={onClose}
    >
      <p>
        Its certificate, signed by {refusal.authority?.name ?? "a known authority"}, goes on the allowlist. At its next
        visit it becomes a device of this environment and may fetch images and report. You can revoke it later, for
        good.
      </p>
      {refusal.fingerprint === null ? null : <Fingerprint value={refusal.fingerprint} />}
      <Field label="Name" optional hint="What the device is called once it comes.">
        <Input maxLength={200} autoComplete="off" value={name} onChange={({ target }) => setName(target.value)} />
      </Field>
      <Field label="Note" optional hint="Kept with the entry and in the audit log.">
        <Textarea maxLength={500} value={note} onChange={({ target }) => setNote(target.value)} />
      </Field>
    </ConfirmDialog>
  );
}

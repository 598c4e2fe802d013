"use client";

import { useState } from "react";
import { ConfirmDialog } from "#components/ui/confirm-dialog.tsx";
import { Fingerprint } from "#components/ui/digest.tsx";
import { Field, Select } from "#components/ui/field.tsx";
import { type Chosen, useRevokeCertificates } from "#lib/client/admission.ts";
import { afterwards } from "#lib/client/afterwards.ts";
import { plural } from "#lib/client/format.ts";
import type { Certificate, RevocationReason } from "#lib/contracts/console/certificates.ts";
import { REASONS } from "#lib/domain/revocation-reasons.ts";
import { NameList } from "./approve-dialog.tsx";
import { tellOutcome } from "./decision-outcome.ts";
import { certificateName } from "./names.ts";
import { NoteField, noteOf } from "./note-field.tsx";

type FinalReason = Exclude<RevocationReason, "certificateHold">;

type RevokeDialogProps = {
  certificates: readonly Certificate[];
  /** All that match, of whom `certificates` are the ones in sight. */
  everyone?: { chosen: Chosen; count: number } | undefined;
  onClose: () => void;
  onDone?: () => void;
};

/** Takes admission away for good; what may come back is put on hold instead. */
export function RevokeDialog({ certificates, everyone, onClose, onDone }: RevokeDialogProps) {
  const [reason, setReason] = useState<FinalReason>("unspecified");
  const [note, setNote] = useState("");
  const revoke = useRevokeCertificates();
  const count = everyone?.count ?? certificates.length;
  const only = count === 1 ? certificates[0] : undefined;
  const chosen = everyone?.chosen ?? { fingerprints: certificates.map(({ fingerprint }) => fingerprint) };
  const submit = () =>
    afterwards(revoke.mutateAsync({ chosen, reason, ...noteOf(note) }), (batch) => {
      tellOutcome(batch, "revoked");
      onDone?.();
      onClose();
    });
  return (
    <ConfirmDialog
      title={
        only === undefined
          ? `Revoke ${plural(count, "certificate")}?`
          : `Revoke the certificate of ${certificateName(only)}?`
      }
      confirm={`Revoke ${plural(count, "certificate")}`}
      affects={count}
      busy={revoke.isPending}
      error={revoke.error}
      onConfirm={submit}
      onClose={onClose}
    >
      {only === undefined ? <NameList certificates={certificates} /> : <Fingerprint value={only.fingerprint} />}
      <p>
        Open connections are cut within a second and every later one is refused. This can't be undone: each device needs
        a new certificate to come back.
      </p>
      <p>
        Devices stay listed with their history, other devices are not touched, and what they have installed keeps
        running.
      </p>
      <Field label="Reason">
        <Select
          value={reason}
          onChange={(event) => setReason(CHOICES.find(([name]) => name === event.target.value)?.[0] ?? "unspecified")}
        >
          {CHOICES.map(([value, words]) => (
            <option key={value} value={value}>
              {words} ({value})
            </option>
          ))}
        </Select>
      </Field>
      <NoteField value={note} onChange={setNote} />
    </ConfirmDialog>
  );
}

/** The names of RFC 5280 with what they mean. */
const CHOICES: readonly (readonly [FinalReason, string])[] = (
  [
    "keyCompromise",
    "cessationOfOperation",
    "superseded",
    "affiliationChanged",
    "privilegeWithdrawn",
    "cACompromise",
    "aACompromise",
    "unspecified",
  ] as const
).map((reason) => [reason, REASONS[reason]]);

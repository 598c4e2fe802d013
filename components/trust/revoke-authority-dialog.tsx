"use client";

import { useState } from "react";
import { ConfirmDialog } from "#components/ui/confirm-dialog.tsx";
import { Field, Select, Textarea } from "#components/ui/field.tsx";
import { toast } from "#components/ui/toast.tsx";
import { afterwards } from "#lib/client/afterwards.ts";
import { useRevokeAuthority } from "#lib/client/authority-mutations.ts";
import { plural } from "#lib/client/format.ts";
import type { Authority, RevokeAuthority } from "#lib/contracts/console/authorities.ts";

const REASONS: Readonly<Partial<Record<RevokeAuthority["reason"], string>>> = {
  cACompromise: "Its key may be known to others",
  superseded: "Another authority took its place",
  cessationOfOperation: "It is out of use",
  affiliationChanged: "It belongs to somebody else now",
  unspecified: "Another reason",
};

/** Cuts off all that an authority signed. */
export function RevokeAuthorityDialog({ authority, onClose }: { authority: Authority; onClose: () => void }) {
  const [reason, setReason] = useState<RevokeAuthority["reason"]>("cACompromise");
  const [note, setNote] = useState("");
  const revoke = useRevokeAuthority(authority.id);
  const { allowed, waiting, seenLately } = authority.cutOff;
  return (
    <ConfirmDialog
      title={`Revoke ${authority.name}?`}
      confirm={`Cut off ${plural(allowed, "certificate")}`}
      affects={allowed}
      blocked={note.trim() === ""}
      busy={revoke.isPending}
      error={revoke.error}
      onConfirm={() =>
        afterwards(revoke.mutateAsync({ reason, note: note.trim(), allowedCertificates: allowed }), () => {
          toast.done(`${authority.name} is revoked`);
          onClose();
        })
      }
      onClose={onClose}
    >
      <p>
        {allowed === 0
          ? "No certificate that it signed is allowed now."
          : `${plural(allowed, "device certificate")} are cut off within a second, ${seenLately} of them seen in the last 15 minutes. These devices need new certificates of another authority to come back.`}
      </p>
      {authority.sameKey.length === 0 ? null : (
        <p>
          That counts the devices of {authority.sameKey.map(({ name }) => name).join(", ")}, too: it has the same key,
          so what it signed is no good any more either. To replace only the certificate of an authority, close the old
          one.
        </p>
      )}
      {waiting === 0 ? null : <p>{plural(waiting, "request")} that wait can't be approved any more.</p>}
      {authority.issues ? (
        <p>
          New devices' certificates come from it now. The open one that was chosen before it takes over; without one,
          nothing can be issued.
        </p>
      ) : null}
      <p>This can't be undone. To stop newcomers only, close it instead.</p>
      <Field label="Reason">
        <Select
          value={reason}
          onChange={({ target }) => setReason(isReason(target.value) ? target.value : "unspecified")}
        >
          {Object.entries(REASONS).map(([value, words]) => (
            <option key={value} value={value}>
              {words} ({value})
            </option>
          ))}
        </Select>
      </Field>
      <Field label="Note" hint="Why, for whoever asks later. Kept with the decision and in the audit log.">
        <Textarea required maxLength={500} value={note} onChange={(event) => setNote(event.target.value)} />
      </Field>
    </ConfirmDialog>
  );
}

function isReason(text: string): text is RevokeAuthority["reason"] {
  return text in REASONS;
}

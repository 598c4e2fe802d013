"use client";

import { Check, TriangleAlert } from "lucide-react";
import { useState } from "react";
import { Callout } from "#components/ui/callout.tsx";
import { ConfirmDialog } from "#components/ui/confirm-dialog.tsx";
import { Fingerprint } from "#components/ui/digest.tsx";
import { Field, Input } from "#components/ui/field.tsx";
import { type Chosen, useApproveCertificates } from "#lib/client/admission.ts";
import { afterwards } from "#lib/client/afterwards.ts";
import { plural } from "#lib/client/format.ts";
import type { Certificate } from "#lib/contracts/console/certificates.ts";
import { tellOutcome } from "./decision-outcome.ts";
import { certificateName } from "./names.ts";
import { NoteField, noteOf } from "./note-field.tsx";
import { NO_REPLACEMENT, ReplaceFields, replacementOf } from "./replace-fields.tsx";

type ApproveDialogProps = {
  certificates: readonly Certificate[];
  /** All that match, of whom `certificates` are the ones in sight. */
  everyone?: { chosen: Chosen; count: number } | undefined;
  onClose: () => void;
  onDone?: () => void;
};

/** Lets waiting certificates in. One at a time can be compared with the fingerprint that its maker wrote down. */
export function ApproveDialog({ certificates, everyone, onClose, onDone }: ApproveDialogProps) {
  const [note, setNote] = useState("");
  const [expected, setExpected] = useState("");
  const [replacement, setReplacement] = useState(NO_REPLACEMENT);
  const approve = useApproveCertificates();
  const count = everyone?.count ?? certificates.length;
  const only = count === 1 ? certificates[0] : undefined;
  const replaced = only?.wouldReplace ?? null;
  const comparison = only === undefined ? "none" : compare(expected, only.fingerprint);
  const chosen = everyone?.chosen ?? { fingerprints: certificates.map(({ fingerprint }) => fingerprint) };
  const submit = () =>
    afterwards(approve.mutateAsync({ chosen, ...noteOf(note), ...replacementOf(replacement) }), (batch) => {
      tellOutcome(batch, "approved");
      onDone?.();
      onClose();
    });
  return (
    <ConfirmDialog
      title={only === undefined ? `Approve ${plural(count, "certificate")}?` : `Let ${certificateName(only)} in?`}
      confirm={only === undefined ? `Approve ${plural(count, "device")}` : "Approve this device"}
      danger={false}
      affects={count}
      busy={approve.isPending}
      blocked={comparison === "differs" || (replaced !== null && !replacement.replace)}
      error={approve.error}
      onConfirm={submit}
      onClose={onClose}
    >
      <p>
        {only === undefined
          ? "Each becomes a device of this environment and may"
          : "It becomes a device of this environment and may"}{" "}
        come through the door within a second, fetch images and report. You can revoke it later, for good.
      </p>
      {only === undefined ? <NameList certificates={certificates} /> : <Fingerprint value={only.fingerprint} />}
      <Warnings certificates={certificates} alone={only !== undefined} />
      {only === undefined || replaced === null ? null : (
        <ReplaceFields old={replaced} fresh={only.fingerprint} value={replacement} onChange={setReplacement} />
      )}
      {only === undefined ? null : (
        <Field
          label="Fingerprint you expect"
          optional
          hint={
            comparison === "equal" ? <Equal /> : "Paste it from the device's papers or its maker's list to compare."
          }
          error={comparison === "differs" ? "This is another fingerprint. Do not approve it." : undefined}
        >
          <Input
            className="mono"
            autoComplete="off"
            spellCheck={false}
            value={expected}
            onChange={(event) => setExpected(event.target.value)}
          />
        </Field>
      )}
      <NoteField value={note} onChange={setNote} />
    </ConfirmDialog>
  );
}

function Warnings({ certificates, alone }: { certificates: readonly Certificate[]; alone: boolean }) {
  return certificates
    .filter(({ warnings }) => warnings.length > 0)
    .map((certificate) => (
      <Callout
        key={certificate.fingerprint}
        tone="warn"
        icon={TriangleAlert}
        title={alone ? "Know before you decide" : certificateName(certificate)}
      >
        {certificate.warnings.map(({ code, text }) => (
          <p key={code}>{text}</p>
        ))}
      </Callout>
    ));
}

function Equal() {
  return (
    <span className="flex items-center gap-1 text-ok">
      <Check aria-hidden className="size-3.5" />
      The same, all 64 digits.
    </span>
  );
}

export function NameList({ certificates }: { certificates: readonly Certificate[] }) {
  if (certificates.length === 0) return null;
  return (
    <ul className="max-h-40 overflow-y-auto rounded-md border border-line">
      {certificates.map((certificate) => (
        <li key={certificate.fingerprint} className="flex gap-3 border-b border-line px-2.5 py-1 last:border-0">
          <span className="min-w-0 flex-1 truncate text-ink">{certificateName(certificate)}</span>
          <Fingerprint value={certificate.fingerprint} />
        </li>
      ))}
    </ul>
  );
}

/** People copy fingerprints with colons, blanks, capitals and a leading "SHA256 Fingerprint=". */
function compare(expected: string, fingerprint: string): "none" | "equal" | "differs" {
  const hex = expected.replace(/^.*=/s, "").replace(/[\s:]/g, "").toLowerCase();
  if (hex === "") return "none";
  return hex === fingerprint ? "equal" : "differs";
}

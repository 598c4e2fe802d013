"use client";

import { Check, TriangleAlert } from "lucide-react";
import { useState } from "react";
import { Callout } from "#components/ui/callout.tsx";
import { ConfirmDialog } from "#components/ui/confirm-dialog.tsx";
import { Fingerprint } from "#components/ui/digest.tsx";
import { Field, Input, Textarea } from "#components/ui/field.tsx";
import { afterwards } from "#lib/client/afterwards.ts";
import { plural } from "#lib/client/format.ts";
import { useApproveCertificates } from "#lib/client/mutations.ts";
import type { Certificate } from "#lib/contracts/console/certificates.ts";
import { tellOutcome } from "./decision-outcome.ts";
import { certificateName } from "./names.ts";

type ApproveDialogProps = { certificates: readonly Certificate[]; onClose: () => void; onDone?: () => void };

/** Lets waiting certificates in. One at a time can be compared with the fingerprint that its maker wrote down. */
export function ApproveDialog({ certificates, onClose, onDone }: ApproveDialogProps) {
  const [note, setNote] = useState("");
  const [expected, setExpected] = useState("");
  const approve = useApproveCertificates();
  const [first] = certificates;
  const only = certificates.length === 1 ? first : undefined;
  const comparison = only === undefined ? "none" : compare(expected, only.fingerprint);
  const warned = certificates.filter(({ warnings }) => warnings.length > 0);
  const submit = () =>
    afterwards(
      approve.mutateAsync({
        fingerprints: certificates.map(({ fingerprint }) => fingerprint),
        ...(note.trim() !== "" && { note: note.trim() }),
      }),
      (batch) => {
        tellOutcome(batch, "approved");
        onDone?.();
        onClose();
      },
    );
  return (
    <ConfirmDialog
      title={
        only === undefined
          ? `Approve ${plural(certificates.length, "certificate")}?`
          : `Let ${certificateName(only)} in?`
      }
      confirm={only === undefined ? `Approve ${plural(certificates.length, "device")}` : "Approve this device"}
      danger={false}
      affects={certificates.length}
      busy={approve.isPending}
      blocked={comparison === "differs"}
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
      {warned.map((certificate) => (
        <Callout
          key={certificate.fingerprint}
          tone="warn"
          icon={TriangleAlert}
          title={only === undefined ? certificateName(certificate) : "Know before you decide"}
        >
          {certificate.warnings.map(({ code, text }) => (
            <p key={code}>{text}</p>
          ))}
        </Callout>
      ))}
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
      <Field label="Note" optional hint="Kept with the decision and in the audit log.">
        <Textarea maxLength={500} value={note} onChange={(event) => setNote(event.target.value)} />
      </Field>
    </ConfirmDialog>
  );
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

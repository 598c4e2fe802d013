"use client";

import { useState } from "react";
import { GuardedButton } from "#components/shell/me.tsx";
import { Button } from "#components/ui/button.tsx";
import { Facts } from "#components/ui/card.tsx";
import { Dialog } from "#components/ui/dialog.tsx";
import { Field, Input, Textarea } from "#components/ui/field.tsx";
import { FormError } from "#components/ui/form-error.tsx";
import { useMatchCertificates } from "#lib/client/admission.ts";
import { count, plural } from "#lib/client/format.ts";
import { ApproveDialog } from "./approve-dialog.tsx";

/** As many as one question may hold. */
const MOST = 10_000;

/** Compares who waits with a list of the fingerprints that are expected, and approves those that are on it. */
export function CompareDialog({ onClose }: { onClose: () => void }) {
  const [text, setText] = useState("");
  const [deciding, setDeciding] = useState(false);
  const match = useMatchCertificates();
  const lines = fingerprintsIn(text);
  const waiting = match.data?.waiting ?? [];
  const change = (next: string) => {
    setText(next);
    match.reset();
  };
  if (deciding) {
    const everyone = { chosen: { fingerprints: waiting }, count: waiting.length };
    return <ApproveDialog certificates={[]} everyone={everyone} onClose={onClose} />;
  }
  return (
    <Dialog
      title="Compare with a list"
      description="The fingerprints you expect, one a line, as the maker wrote them down. Who waits and is not on it goes on waiting."
      onClose={onClose}
      sticky
      footer={
        <>
          <Button onClick={onClose}>Keep as it is</Button>
          {waiting.length === 0 ? (
            <Button
              look="primary"
              busy={match.isPending}
              disabled={lines.length === 0 || lines.length > MOST}
              onClick={() => match.mutate(lines)}
            >
              Compare {plural(lines.length, "fingerprint")}
            </Button>
          ) : (
            <GuardedButton permission="certificate.decide" look="primary" onClick={() => setDeciding(true)}>
              Approve the {count(waiting.length)} that match…
            </GuardedButton>
          )}
        </>
      }
    >
      <div className="grid gap-3.5">
        <Field label="Fingerprints" error={lines.length > MOST ? `At most ${count(MOST)} at once.` : undefined}>
          <Textarea
            rows={6}
            className="mono"
            spellCheck={false}
            value={text}
            onChange={(event) => change(event.target.value)}
          />
        </Field>
        <Field label="Or a file" optional hint="Text or CSV; what is no fingerprint in it is left out.">
          <Input
            type="file"
            accept=".csv,.txt,text/plain,text/csv"
            className="h-auto py-1.5"
            onChange={(event) => void event.target.files?.[0]?.text().then(change)}
          />
        </Field>
        {match.data === undefined ? null : (
          <div role="status">
            <Facts
              rows={[
                ["Waiting and on the list", count(waiting.length)],
                ["Decided before", count(match.data.decided.length)],
                ["Never seen here", count(match.data.unknown.length)],
              ]}
            />
          </div>
        )}
        <FormError what="Not compared" error={match.error} fields={[]} />
      </div>
    </Dialog>
  );
}

/** Every SHA-256 in a text, with colons or without. */
function fingerprintsIn(text: string): string[] {
  const found = text.match(/\b(?:[0-9a-f]{2}:?){31}[0-9a-f]{2}\b/gi) ?? [];
  return [...new Set(found.map((hex) => hex.replaceAll(":", "").toLowerCase()))];
}

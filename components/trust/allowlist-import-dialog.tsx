"use client";

import { TriangleAlert } from "lucide-react";
import { useState } from "react";
import { Button } from "#components/ui/button.tsx";
import { Callout } from "#components/ui/callout.tsx";
import { Facts } from "#components/ui/card.tsx";
import { Dialog } from "#components/ui/dialog.tsx";
import { Field, Input } from "#components/ui/field.tsx";
import { FormError } from "#components/ui/form-error.tsx";
import { toast } from "#components/ui/toast.tsx";
import { useImportAllowlist } from "#lib/client/admission.ts";
import { afterwards } from "#lib/client/afterwards.ts";
import { count, plural } from "#lib/client/format.ts";
import type { AllowlistImport } from "#lib/contracts/console/allowlist.ts";

/** Says what a CSV file would add, then adds all of it or nothing. */
export function AllowlistImportDialog({ onClose }: { onClose: () => void }) {
  const [file, setFile] = useState<File | null>(null);
  const rehearse = useImportAllowlist();
  const run = useImportAllowlist();
  const report = rehearse.data;
  const ready = report !== undefined && report.invalid === 0 && report.added > 0;
  const choose = (chosen: File | null) => {
    setFile(chosen);
    rehearse.reset();
    run.reset();
    if (chosen !== null) rehearse.mutate({ file: chosen, dryRun: true });
  };
  const submit = () => {
    if (file === null) return;
    afterwards(run.mutateAsync({ file, dryRun: false }), ({ added, imported }) => {
      if (!imported) return;
      toast.done(`${plural(added, "entry", "entries")} added to the allowlist`);
      onClose();
    });
  };
  return (
    <Dialog
      title="Import a list"
      description="A CSV file with one certificate a row. Nothing is added before you have seen what would be."
      onClose={onClose}
      sticky
      footer={
        <>
          <Button onClick={onClose}>Keep as it is</Button>
          <Button look="primary" busy={run.isPending || rehearse.isPending} disabled={!ready} onClick={submit}>
            {ready ? `Add ${plural(report.added, "entry", "entries")}` : "Add the entries"}
          </Button>
        </>
      }
    >
      <div className="grid gap-3.5">
        <Field
          label="File"
          hint="The first row names the columns: fingerprint, spki, subject or serial; besides authority, name, hardware, group, note, expires and tag.<name>."
        >
          <Input
            type="file"
            accept=".csv,text/csv"
            className="h-auto py-1.5"
            onChange={(event) => choose(event.target.files?.[0] ?? null)}
          />
        </Field>
        {report === undefined ? null : <Report report={report} />}
        <FormError what="Not read" error={rehearse.error} fields={[]} />
        <FormError what="Not imported" error={run.error} fields={[]} />
      </div>
    </Dialog>
  );
}

function Report({ report }: { report: AllowlistImport }) {
  const more = report.invalid - report.errors.length;
  return (
    <div role="status" className="grid gap-3">
      <Facts
        rows={[
          ["Rows", count(report.rows)],
          ["New", count(report.added)],
          ["Known already", count(report.duplicates)],
          ["Invalid", count(report.invalid)],
        ]}
      />
      {report.errors.length === 0 ? null : (
        <Callout tone="bad" icon={TriangleAlert} title="Mend these rows: nothing is added while one is invalid">
          <ul className="max-h-48 overflow-y-auto">
            {report.errors.map(({ row, column, cause }) => (
              <li key={`${row} ${column}`}>
                Line {row}: {column} {cause}
              </li>
            ))}
            {more > 0 ? <li>and {plural(more, "more row")}</li> : null}
          </ul>
        </Callout>
      )}
    </div>
  );
}

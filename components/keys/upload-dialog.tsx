"use client";

import { Download } from "lucide-react";
import { useId, useState } from "react";
import { Button } from "#components/ui/button.tsx";
import { Dialog } from "#components/ui/dialog.tsx";
import { Field, Input } from "#components/ui/field.tsx";
import { FormError } from "#components/ui/form-error.tsx";
import { toast } from "#components/ui/toast.tsx";
import { afterwards } from "#lib/client/afterwards.ts";
import { usePushDocument, useUnsignedRoot } from "#lib/client/mutations.ts";
import { save } from "#lib/client/tar.ts";
import type { RepositoryName } from "#lib/contracts/console/keys.ts";
import { CheckList } from "./check-list.tsx";
import { REPOSITORY_TITLE } from "./words.ts";

type UploadDialogProps = {
  repository: RepositoryName;
  /** Of the targets that the file is to replace; null for a root. */
  replaces: string | null;
  onClose: () => void;
};

/** A root or targets signed elsewhere: judged as soon as the file is chosen, put in force by a second act. */
export function UploadSignedDialog({ repository, replaces, onClose }: UploadDialogProps) {
  const formId = useId();
  const judge = usePushDocument(repository);
  const push = usePushDocument(repository);
  const [document, setDocument] = useState<string | null>(null);
  const [notJson, setNotJson] = useState<string | undefined>(undefined);
  const what = replaces === null ? "root" : "targets";
  const choose = async (file: File | undefined) => {
    judge.reset();
    push.reset();
    setDocument(null);
    const text = (await file?.text()) ?? "";
    setNotJson(file === undefined || isJson(text) ? undefined : "This file is not JSON.");
    if (!isJson(text)) return;
    setDocument(text);
    judge.mutate({ document: text, checksum: replaces, rehearseOnly: true });
  };
  const passed = judge.data?.checks.every(({ state }) => state === "passed") ?? false;
  return (
    <Dialog
      title={`Upload signed ${what} · ${REPOSITORY_TITLE[repository]}`}
      description="For keys that are elsewhere. The file is checked first; nothing changes until you put it in force."
      onClose={onClose}
      footer={
        <>
          <Button onClick={onClose}>Close</Button>
          <Button
            type="submit"
            form={formId}
            look="primary"
            busy={push.isPending}
            disabled={!passed || document === null}
          >
            Put this {what} in force
          </Button>
        </>
      }
    >
      <form
        id={formId}
        className="grid gap-3.5"
        onSubmit={(event) => {
          event.preventDefault();
          if (!passed || document === null) return;
          afterwards(push.mutateAsync({ document, checksum: replaces, rehearseOnly: false }), () => {
            toast.done(`The uploaded ${what} is in force`);
            onClose();
          });
        }}
      >
        <Field label={`Signed ${what}.json`} hint="The whole document, with its signatures" error={notJson}>
          <Input
            required
            type="file"
            accept="application/json,.json"
            className="h-auto py-1.5"
            onChange={(event) => void choose(event.target.files?.[0])}
          />
        </Field>
        {replaces === null ? <UnsignedRoot repository={repository} /> : null}
        {judge.isPending ? (
          <p role="status" className="text-ink-2">
            Checking…
          </p>
        ) : null}
        {judge.data === undefined ? null : <CheckList {...judge.data} />}
        <FormError what="Not checked" error={judge.error} />
        <FormError what="Not put in force" error={push.error} />
      </form>
    </Dialog>
  );
}

/** What is to be signed: the root in force, one version higher. */
function UnsignedRoot({ repository }: { repository: RepositoryName }) {
  const unsigned = useUnsignedRoot(repository);
  const keep = ({ signed }: { signed: object }) =>
    save(new Blob([JSON.stringify(signed, null, 2)]), `${repository}-root.unsigned.json`);
  return (
    <div className="grid gap-2">
      <div>
        <Button size="sm" busy={unsigned.isPending} onClick={() => afterwards(unsigned.mutateAsync(), keep)}>
          <Download aria-hidden />
          Next root, not signed
        </Button>
      </div>
      <FormError what="Not made" error={unsigned.error} />
    </div>
  );
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false; // the sentence beside the field says so
  }
}

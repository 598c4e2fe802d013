"use client";

import { useId, useState } from "react";
import { Button } from "#components/ui/button.tsx";
import { Dialog } from "#components/ui/dialog.tsx";
import { Field, Input } from "#components/ui/field.tsx";
import { FormError } from "#components/ui/form-error.tsx";
import { toast } from "#components/ui/toast.tsx";
import { afterwards } from "#lib/client/afterwards.ts";
import { base64Of } from "#lib/client/file-base64.ts";
import { useAddImageSignature } from "#lib/client/mutations.ts";

/** One signature that was made elsewhere, and the list it may be about. */
export function SignatureDialog({ filename, onClose }: { filename: string; onClose: () => void }) {
  const formId = useId();
  const add = useAddImageSignature(filename);
  const [signature, setSignature] = useState<File | null>(null);
  const [list, setList] = useState<File | null>(null);
  const submit = async (file: File) => {
    const body = { signature: await base64Of(file), ...(list === null ? {} : { document: await base64Of(list) }) };
    return add.mutateAsync(body);
  };
  return (
    <Dialog
      title="Add an OpenPGP signature"
      description="Taken when a key that is trusted here made it over this image, and checked again with it from then on."
      onClose={onClose}
      footer={
        <>
          <Button onClick={onClose}>Close</Button>
          <Button type="submit" form={formId} look="primary" busy={add.isPending} disabled={signature === null}>
            Add
          </Button>
        </>
      }
    >
      <form
        id={formId}
        className="grid gap-3.5"
        onSubmit={(event) => {
          event.preventDefault();
          if (signature === null) return;
          afterwards(submit(signature), () => {
            toast.done("The signature holds and is kept");
            onClose();
          });
        }}
      >
        <Field
          label="Signature"
          hint="A container signature, a signed sha256sum.txt, or a detached signature over the image"
        >
          <Input
            required
            type="file"
            className="h-auto py-1.5"
            onChange={(event) => setSignature(event.target.files?.[0] ?? null)}
          />
        </Field>
        <Field label="sha256sum.txt" hint="Only when the signature is apart from the list">
          <Input type="file" className="h-auto py-1.5" onChange={(event) => setList(event.target.files?.[0] ?? null)} />
        </Field>
        <FormError what="Not added" error={add.error} />
      </form>
    </Dialog>
  );
}

"use client";

import { useId } from "react";
import { useForm } from "react-hook-form";
import { Button } from "#components/ui/button.tsx";
import { Dialog } from "#components/ui/dialog.tsx";
import { Explain } from "#components/ui/explain.tsx";
import { Field, Input, Textarea } from "#components/ui/field.tsx";
import { FormError, fieldError } from "#components/ui/form-error.tsx";
import { toast } from "#components/ui/toast.tsx";
import { afterwards } from "#lib/client/afterwards.ts";
import { useAllowCertificate } from "#lib/client/mutations.ts";

type Allow = { fingerprint: string; name: string; note: string };

/** Puts a fingerprint on the allowlist before the device's first visit; approves it when it already waits. */
export function AllowDialog({ onClose }: { onClose: () => void }) {
  const allow = useAllowCertificate();
  const form = useForm<Allow>({ defaultValues: { fingerprint: "", name: "", note: "" } });
  const formId = useId();
  const submit = ({ fingerprint, name, note }: Allow) =>
    afterwards(
      allow.mutateAsync({
        fingerprint,
        ...(name.trim() !== "" && { name: name.trim() }),
        ...(note.trim() !== "" && { note: note.trim() }),
      }),
      ({ firstSeenAt }) => {
        toast.done(firstSeenAt === null ? "Allowed from its first visit" : "The waiting certificate is approved");
        onClose();
      },
    );
  return (
    <Dialog
      title="Allow a fingerprint"
      description="The certificate with this fingerprint comes through the door without waiting, if an authority known here signed it."
      onClose={onClose}
      footer={
        <>
          <Button onClick={onClose}>Keep as it is</Button>
          <Button type="submit" form={formId} look="primary" busy={allow.isPending}>
            Allow this fingerprint
          </Button>
        </>
      }
    >
      <form id={formId} className="grid gap-3.5" onSubmit={form.handleSubmit(submit)}>
        <Field
          label={<Explain term="fingerprint">Fingerprint</Explain>}
          hint="SHA-256, 64 hex digits, with or without colons."
          error={form.formState.errors.fingerprint?.message ?? fieldError(allow.error, "fingerprint")}
        >
          <Textarea
            rows={2}
            className="mono"
            spellCheck={false}
            {...form.register("fingerprint", {
              validate: (text) =>
                /^[0-9a-f]{64}$/.test(text.toLowerCase().replace(/[\s:]/g, "")) ||
                "A SHA-256 fingerprint has 64 hex digits.",
            })}
          />
        </Field>
        <Field
          label="Name"
          optional
          hint="What the device is called once it comes."
          error={fieldError(allow.error, "name")}
        >
          <Input maxLength={200} autoComplete="off" {...form.register("name")} />
        </Field>
        <Field label="Note" optional error={fieldError(allow.error, "note")}>
          <Textarea maxLength={500} {...form.register("note")} />
        </Field>
        <FormError what="Not allowed" error={allow.error} fields={["fingerprint", "name", "note"]} />
      </form>
    </Dialog>
  );
}

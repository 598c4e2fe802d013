"use client";

import { ArchivePanel } from "#components/credentials/archive-panel.tsx";
import { Field, Input } from "#components/ui/field.tsx";
import { FormDialog } from "#components/ui/form-dialog.tsx";
import { fieldError } from "#components/ui/form-error.tsx";
import { filledIn, useFields } from "#components/ui/use-fields.ts";
import { useCreateProvisioningCredential } from "#lib/client/mutations.ts";
import { ExpectedFields, TermsFields, termsOf } from "./handout-fields.tsx";

const INITIAL = {
  description: "",
  uses: "100",
  expiresInDays: "30",
  policy: "pending",
  certificateDays: "3650",
  groupId: "",
  hardwareId: "",
};

/** Makes a shared certificate with its credentials.zip, and shows the archive this one time. */
export function CreateProvisioningDialog({ onClose }: { onClose: () => void }) {
  const create = useCreateProvisioningCredential();
  const form = useFields(INITIAL);
  const { values, bound } = form;
  if (create.data !== undefined) {
    const { archive, credential } = create.data;
    const warning = `Whoever has this file can register up to ${credential.usesAllowed} devices here. If it gets out, revoke it.`;
    return (
      <ArchivePanel
        title={`Credential ${credential.description}`}
        warning={warning}
        archive={archive}
        onClose={onClose}
      />
    );
  }
  const error = (field: string) => fieldError(create.error, field);
  const submit = () =>
    create.mutate({
      ...termsOf(values),
      certificateDays: Number(values.certificateDays),
      ...filledIn(values, ["groupId", "hardwareId"]),
    });
  return (
    <FormDialog
      title="New provisioning credential"
      description="A shared certificate for an image: each device that starts from it registers itself and gets its own."
      submit="Make the credential"
      refused="Not made"
      busy={create.isPending}
      error={create.error}
      fields={Object.keys(INITIAL)}
      onSubmit={submit}
      onClose={onClose}
    >
      <TermsFields form={form} error={error} example="line 4, spring batch" act="register" />
      <Field
        label="Days a device's own certificate is valid"
        hint="A device can't renew it by itself: after these days it needs new credentials."
        error={error("certificateDays")}
      >
        <Input required type="number" min={1} max={3_650} {...bound("certificateDays")} />
      </Field>
      <ExpectedFields form={form} error={error} />
    </FormDialog>
  );
}

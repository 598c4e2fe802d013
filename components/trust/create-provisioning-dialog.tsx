"use client";

import { useId, useState } from "react";
import { ArchivePanel } from "#components/credentials/archive-panel.tsx";
import { Button } from "#components/ui/button.tsx";
import { Dialog } from "#components/ui/dialog.tsx";
import { Field, Input, Select } from "#components/ui/field.tsx";
import { FormError, fieldError } from "#components/ui/form-error.tsx";
import { useCreateProvisioningCredential } from "#lib/client/mutations.ts";

const FIELDS = ["description", "uses", "expiresInDays", "certificateDays", "groupId", "hardwareId"] as const;
const INITIAL = {
  description: "",
  uses: "100",
  expiresInDays: "30",
  certificateDays: "3650",
  groupId: "",
  hardwareId: "",
};

/** Makes a shared certificate with its credentials.zip, and shows the archive this one time. */
export function CreateProvisioningDialog({ onClose }: { onClose: () => void }) {
  const create = useCreateProvisioningCredential();
  const formId = useId();
  const [values, setValues] = useState(INITIAL);
  const [policy, setPolicy] = useState<"pending" | "allowed">("pending");
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
  const bound = (field: (typeof FIELDS)[number]) => ({
    value: values[field],
    autoComplete: "off",
    onChange: (event: { target: { value: string } }) => setValues({ ...values, [field]: event.target.value }),
  });
  const error = (field: string) => fieldError(create.error, field);
  return (
    <Dialog
      title="New provisioning credential"
      description="A shared certificate for an image: each device that starts from it registers itself and gets its own."
      onClose={onClose}
      footer={
        <>
          <Button onClick={onClose}>Close</Button>
          <Button type="submit" form={formId} look="primary" busy={create.isPending}>
            Make the credential
          </Button>
        </>
      }
    >
      <form
        id={formId}
        className="grid gap-3.5"
        onSubmit={(event) => {
          event.preventDefault();
          create.mutate({
            description: values.description.trim(),
            uses: Number(values.uses),
            expiresInDays: Number(values.expiresInDays),
            certificateDays: Number(values.certificateDays),
            policy,
            ...(values.groupId.trim() === "" ? {} : { groupId: values.groupId.trim() }),
            ...(values.hardwareId.trim() === "" ? {} : { hardwareId: values.hardwareId.trim() }),
          });
        }}
      >
        <Field label="Description" hint="Where it will be used: line 4, spring batch" error={error("description")}>
          <Input required maxLength={200} {...bound("description")} />
        </Field>
        <div className="grid gap-3.5 sm:grid-cols-2">
          <Field label="Devices" hint="At most so many register with it" error={error("uses")}>
            <Input required type="number" min={1} max={100_000} {...bound("uses")} />
          </Field>
          <Field label="Days it can be used" error={error("expiresInDays")}>
            <Input required type="number" min={1} max={3_650} {...bound("expiresInDays")} />
          </Field>
        </div>
        <Field label="Its devices">
          <Select
            value={policy}
            onChange={(event) => setPolicy(event.target.value === "allowed" ? "allowed" : "pending")}
          >
            <option value="pending">wait until a person approves each</option>
            <option value="allowed">are let in at once</option>
          </Select>
        </Field>
        <Field
          label="Days a device's own certificate is valid"
          hint="A device can't renew it by itself: after these days it needs new credentials."
          error={error("certificateDays")}
        >
          <Input required type="number" min={1} max={3_650} {...bound("certificateDays")} />
        </Field>
        <Field label="Group" hint="Id of a static group that they join" optional error={error("groupId")}>
          <Input maxLength={36} {...bound("groupId")} />
        </Field>
        <Field label="Hardware id" hint="What you expect to come with it" optional error={error("hardwareId")}>
          <Input maxLength={200} {...bound("hardwareId")} />
        </Field>
        <FormError what="Not made" error={create.error} fields={FIELDS} />
      </form>
    </Dialog>
  );
}

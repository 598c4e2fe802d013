"use client";

import { useRouter } from "next/navigation";
import { useState } from "react";
import { Checkbox, Field, Input, Textarea } from "#components/ui/field.tsx";
import { FormDialog } from "#components/ui/form-dialog.tsx";
import { fieldError } from "#components/ui/form-error.tsx";
import { toast } from "#components/ui/toast.tsx";
import { filledIn, useFields } from "#components/ui/use-fields.ts";
import { afterwards } from "#lib/client/afterwards.ts";
import { useUploadAuthority } from "#lib/client/authority-mutations.ts";
import type { UploadAuthority } from "#lib/contracts/console/authorities.ts";
import { PolicyField } from "./policy-field.tsx";

const FIELDS = ["name", "certificatePem", "privateKeyPem", "policy"] as const;

/** Makes an outside authority known, with or without its key. */
export function UploadAuthorityDialog({ onClose }: { onClose: () => void }) {
  const upload = useUploadAuthority();
  const router = useRouter();
  const { values, bound } = useFields({ name: "", certificatePem: "", privateKeyPem: "" });
  const [withKey, setWithKey] = useState(false);
  const [policy, setPolicy] = useState<UploadAuthority["policy"]>("ask");
  const error = (field: string) => fieldError(upload.error, field);
  const submit = () =>
    afterwards(
      upload.mutateAsync({
        certificatePem: values.certificatePem,
        policy,
        ...filledIn(values, ["name"]),
        ...(withKey ? { privateKeyPem: values.privateKeyPem } : {}),
      }),
      (made) => {
        toast.done(made.state === "unproved" ? `${made.name} waits for its proof` : `${made.name} is known`);
        router.push(`/trust/authorities/${made.id}`);
        onClose();
      },
    );
  return (
    <FormDialog
      title="Upload an authority"
      description="Without its key it is recognised only, and admits nobody until you prove that you have the key."
      sticky
      submit="Upload the authority"
      dismiss="Keep as it is"
      refused="Not uploaded"
      busy={upload.isPending}
      error={upload.error}
      fields={FIELDS}
      onSubmit={submit}
      onClose={onClose}
    >
      <Field
        label="Certificate"
        hint="PEM: the authority first, then what stands above it, nearest first."
        error={error("certificatePem")}
      >
        <Textarea required rows={6} className="mono" spellCheck={false} {...bound("certificatePem")} />
      </Field>
      <Checkbox
        label="With its private key"
        hint="This install then issues in its name. The key is sealed and never shown again."
        checked={withKey}
        onChange={(event) => setWithKey(event.target.checked)}
      />
      {withKey ? (
        <Field label="Private key" hint="PEM, without a password" error={error("privateKeyPem")}>
          <Textarea required rows={4} className="mono" spellCheck={false} {...bound("privateKeyPem")} />
        </Field>
      ) : null}
      <Field label="Name" optional hint="Its common name when left empty" error={error("name")}>
        <Input maxLength={100} {...bound("name")} />
      </Field>
      <PolicyField policy={policy} error={error("policy")} onChange={setPolicy} />
    </FormDialog>
  );
}

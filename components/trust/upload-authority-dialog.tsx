"use client";

import { useRouter } from "next/navigation";
import { useId, useState } from "react";
import { Button } from "#components/ui/button.tsx";
import { Dialog } from "#components/ui/dialog.tsx";
import { Checkbox, Field, Input, Select, Textarea } from "#components/ui/field.tsx";
import { FormError, fieldError } from "#components/ui/form-error.tsx";
import { toast } from "#components/ui/toast.tsx";
import { afterwards } from "#lib/client/afterwards.ts";
import { useUploadAuthority } from "#lib/client/authority-mutations.ts";
import type { UploadAuthority } from "#lib/contracts/console/authorities.ts";
import { isPolicy, POLICIES } from "./authority-words.ts";

const FIELDS = ["name", "certificatePem", "privateKeyPem", "policy"] as const;

/** Makes an outside authority known, with or without its key. */
export function UploadAuthorityDialog({ onClose }: { onClose: () => void }) {
  const upload = useUploadAuthority();
  const router = useRouter();
  const formId = useId();
  const [values, setValues] = useState({ name: "", certificatePem: "", privateKeyPem: "" });
  const [withKey, setWithKey] = useState(false);
  const [policy, setPolicy] = useState<UploadAuthority["policy"]>("ask");
  const error = (field: string) => fieldError(upload.error, field);
  const bound = (field: keyof typeof values) => ({
    value: values[field],
    autoComplete: "off",
    spellCheck: false,
    onChange: (event: { target: { value: string } }) => setValues({ ...values, [field]: event.target.value }),
  });
  const submit = () =>
    afterwards(
      upload.mutateAsync({
        certificatePem: values.certificatePem,
        policy,
        ...(values.name.trim() === "" ? {} : { name: values.name.trim() }),
        ...(withKey ? { privateKeyPem: values.privateKeyPem } : {}),
      }),
      (made) => {
        toast.done(made.state === "unproved" ? `${made.name} waits for its proof` : `${made.name} is known`);
        router.push(`/trust/authorities/${made.id}`);
        onClose();
      },
    );
  return (
    <Dialog
      title="Upload an authority"
      description="Without its key it is recognised only, and admits nobody until you prove that you have the key."
      onClose={onClose}
      sticky
      footer={
        <>
          <Button onClick={onClose}>Keep as it is</Button>
          <Button type="submit" form={formId} look="primary" busy={upload.isPending}>
            Upload the authority
          </Button>
        </>
      }
    >
      <form
        id={formId}
        className="grid gap-3.5"
        onSubmit={(event) => {
          event.preventDefault();
          submit();
        }}
      >
        <Field
          label="Certificate"
          hint="PEM: the authority first, then what stands above it, nearest first."
          error={error("certificatePem")}
        >
          <Textarea required rows={6} className="mono" {...bound("certificatePem")} />
        </Field>
        <Checkbox
          label="With its private key"
          hint="This install then issues in its name. The key is sealed and never shown again."
          checked={withKey}
          onChange={(event) => setWithKey(event.target.checked)}
        />
        {withKey ? (
          <Field label="Private key" hint="PEM, without a password" error={error("privateKeyPem")}>
            <Textarea required rows={4} className="mono" {...bound("privateKeyPem")} />
          </Field>
        ) : null}
        <Field label="Name" optional hint="Its common name when left empty" error={error("name")}>
          <Input maxLength={100} {...bound("name")} />
        </Field>
        <Field label="Newcomers" error={error("policy")}>
          <Select value={policy} onChange={(e) => setPolicy(isPolicy(e.target.value) ? e.target.value : "ask")}>
            {Object.entries(POLICIES).map(([value, words]) => (
              <option key={value} value={value}>
                {words}
              </option>
            ))}
          </Select>
        </Field>
        <FormError what="Not uploaded" error={upload.error} fields={FIELDS} />
      </form>
    </Dialog>
  );
}

"use client";

import { useId, useState } from "react";
import { Button } from "#components/ui/button.tsx";
import { Dialog } from "#components/ui/dialog.tsx";
import { Explain } from "#components/ui/explain.tsx";
import { Field, Input, Select, Textarea } from "#components/ui/field.tsx";
import { FormError, fieldError } from "#components/ui/form-error.tsx";
import { Segmented } from "#components/ui/segmented.tsx";
import { toast } from "#components/ui/toast.tsx";
import { useAddAllowlistEntry } from "#lib/client/admission.ts";
import { afterwards } from "#lib/client/afterwards.ts";
import type { AddAllowlistEntry, AllowlistKind } from "#lib/contracts/console/allowlist.ts";
import { KIND_WORDS } from "./names.ts";
import { useAuthorityOptions } from "./use-authority-options.ts";

const FIELDS = ["value", "authorityId", "name", "hardwareId", "groupId", "note", "expiresAt"] as const;
type Values = Record<(typeof FIELDS)[number], string>;
const EMPTY: Values = { value: "", authorityId: "", name: "", hardwareId: "", groupId: "", note: "", expiresAt: "" };

/** Lets a certificate in before the device's first visit, or now when it waits. */
export function AllowDialog({ onClose }: { onClose: () => void }) {
  const add = useAddAllowlistEntry();
  const [kind, setKind] = useState<AllowlistKind>("fingerprint");
  const [values, setValues] = useState(EMPTY);
  const authorities = useAuthorityOptions();
  const formId = useId();
  const bound = (field: keyof Values) => ({
    value: values[field],
    autoComplete: "off",
    onChange: (event: { target: { value: string } }) => setValues({ ...values, [field]: event.target.value }),
  });
  const error = (field: string) => fieldError(add.error, field);
  const submit = () =>
    afterwards(add.mutateAsync(toEntry(kind, values)), ({ approved }) => {
      toast.done(approved === null ? "Allowed from its first visit" : "The waiting certificate is approved");
      onClose();
    });
  return (
    <Dialog
      title="Allow a certificate"
      description="The certificate comes through the door without waiting, if an authority known here signed it. One certificate comes in with each entry."
      onClose={onClose}
      footer={
        <>
          <Button onClick={onClose}>Keep as it is</Button>
          <Button type="submit" form={formId} look="primary" busy={add.isPending}>
            Allow this certificate
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
        <Segmented label="Known by" value={kind} onChange={setKind} options={KINDS} />
        <Field
          label={kind === "fingerprint" ? <Explain term="fingerprint">Fingerprint</Explain> : KIND_WORDS[kind]}
          hint={HINTS[kind]}
          error={error("value")}
        >
          <Textarea rows={2} required className="mono" spellCheck={false} {...bound("value")} />
        </Field>
        {isScoped(kind) ? (
          <Field label="Issued by" error={error("authorityId")}>
            <Select required {...bound("authorityId")}>
              <option value="">Choose an authority</option>
              {authorities.map(({ id, name }) => (
                <option key={id} value={id}>
                  {name}
                </option>
              ))}
            </Select>
          </Field>
        ) : null}
        <Field label="Name" optional hint="What the device is called once it comes." error={error("name")}>
          <Input maxLength={200} {...bound("name")} />
        </Field>
        <Field label="Hardware" optional error={error("hardwareId")}>
          <Input maxLength={200} {...bound("hardwareId")} />
        </Field>
        <Field label="Group" optional hint="The id of a group that devices are put into." error={error("groupId")}>
          <Input className="mono" maxLength={36} {...bound("groupId")} />
        </Field>
        <Field label="Until" optional hint="The entry counts no more from this day on." error={error("expiresAt")}>
          <Input type="date" {...bound("expiresAt")} />
        </Field>
        <Field label="Note" optional error={error("note")}>
          <Textarea maxLength={500} {...bound("note")} />
        </Field>
        <FormError what="Not allowed" error={add.error} fields={FIELDS} />
      </form>
    </Dialog>
  );
}

function isScoped(kind: AllowlistKind): boolean {
  return kind === "subject" || kind === "serial";
}

function toEntry(kind: AllowlistKind, { value, authorityId, expiresAt, ...rest }: Values): AddAllowlistEntry {
  const given = Object.entries(rest).flatMap(([field, text]) => (text.trim() === "" ? [] : [[field, text.trim()]]));
  return {
    kind,
    value,
    ...(isScoped(kind) && { authorityId }),
    ...(expiresAt !== "" && { expiresAt: `${expiresAt}T00:00:00Z` }),
    ...Object.fromEntries(given),
  };
}

const HINTS: Readonly<Record<AllowlistKind, string>> = {
  fingerprint: "SHA-256, 64 hex digits, with or without colons.",
  spki: "SHA-256 of the public key's DER, 64 hex digits, with or without colons.",
  subject: "As certificates show it here: CN=device, O=maker. Case and blanks don't count.",
  serial: "In hex, with or without colons.",
};

const KINDS = (["fingerprint", "spki", "subject", "serial"] as const).map((value) => ({
  value,
  label: KIND_WORDS[value],
}));

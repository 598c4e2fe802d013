"use client";

import { useState } from "react";
import { Explain } from "#components/ui/explain.tsx";
import { Field, Input, Select, Textarea } from "#components/ui/field.tsx";
import { FormDialog } from "#components/ui/form-dialog.tsx";
import { fieldError } from "#components/ui/form-error.tsx";
import { Segmented } from "#components/ui/segmented.tsx";
import { toast } from "#components/ui/toast.tsx";
import { filledIn, useFields } from "#components/ui/use-fields.ts";
import { useAddAllowlistEntry } from "#lib/client/admission.ts";
import { afterwards } from "#lib/client/afterwards.ts";
import type { AllowlistKind } from "#lib/contracts/console/allowlist.ts";
import { GroupField } from "./group-field.tsx";
import { KIND_WORDS } from "./names.ts";
import { type TagRow, TagsField, tagsOf } from "./tags-field.tsx";
import { useAuthorityOptions } from "./use-authority-options.ts";

const EMPTY = { value: "", authorityId: "", name: "", hardwareId: "", groupId: "", note: "", expiresAt: "" };

/** Lets a certificate in before the device's first visit, or now when it waits. */
export function AllowDialog({ onClose }: { onClose: () => void }) {
  const add = useAddAllowlistEntry();
  const [kind, setKind] = useState<AllowlistKind>("fingerprint");
  const [tags, setTags] = useState<readonly TagRow[]>([]);
  const { values, bound, set } = useFields(EMPTY);
  const authorities = useAuthorityOptions();
  const isScoped = kind === "subject" || kind === "serial";
  const error = (field: string) => fieldError(add.error, field);
  const submit = () => {
    const named = tagsOf(tags);
    if (named === null) return;
    const entry = {
      kind,
      value: values.value,
      ...(isScoped && { authorityId: values.authorityId }),
      ...filledIn(values, ["name", "hardwareId", "groupId", "note"]),
      ...(values.expiresAt !== "" && { expiresAt: `${values.expiresAt}T00:00:00Z` }),
      ...(tags.length > 0 && { tags: named }),
    };
    afterwards(add.mutateAsync(entry), ({ approved }) => {
      toast.done(approved === null ? "Allowed from its first visit" : "The waiting certificate is approved");
      onClose();
    });
  };
  return (
    <FormDialog
      title="Allow a certificate"
      description="The certificate comes through the door without waiting, if an authority known here signed it. One certificate comes in with each entry."
      submit="Allow this certificate"
      dismiss="Keep as it is"
      refused="Not allowed"
      busy={add.isPending}
      error={add.error}
      fields={Object.keys(EMPTY)}
      onSubmit={submit}
      onClose={onClose}
    >
      <Segmented label="Known by" value={kind} onChange={setKind} options={KINDS} />
      <Field
        label={kind === "fingerprint" ? <Explain term="fingerprint">Fingerprint</Explain> : KIND_WORDS[kind]}
        hint={HINTS[kind]}
        error={error("value")}
      >
        <Textarea rows={2} required className="mono" spellCheck={false} {...bound("value")} />
      </Field>
      {isScoped ? (
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
      <GroupField value={values.groupId} error={error("groupId")} onChange={(groupId) => set("groupId", groupId)} />
      <TagsField tags={tags} onChange={setTags} />
      <Field label="Until" optional hint="The entry counts no more from this day on." error={error("expiresAt")}>
        <Input type="date" {...bound("expiresAt")} />
      </Field>
      <Field label="Note" optional error={error("note")}>
        <Textarea maxLength={500} {...bound("note")} />
      </Field>
    </FormDialog>
  );
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

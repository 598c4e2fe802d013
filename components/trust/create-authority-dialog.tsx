"use client";

import { useRouter } from "next/navigation";
import { useState } from "react";
import { Field, Input, Select } from "#components/ui/field.tsx";
import { FormDialog } from "#components/ui/form-dialog.tsx";
import { fieldError } from "#components/ui/form-error.tsx";
import { toast } from "#components/ui/toast.tsx";
import { afterwards } from "#lib/client/afterwards.ts";
import { useCreateAuthority } from "#lib/client/authority-mutations.ts";
import type { CreateAuthority } from "#lib/contracts/console/authorities.ts";
import { PolicyField } from "./policy-field.tsx";

const FIELDS = ["name", "keyKind", "years", "policy"] as const;

const KEY_KINDS: Readonly<Record<CreateAuthority["keyKind"], string>> = {
  "P-256": "P-256: what devices and tools know best",
  "P-384": "P-384: larger, where a rule asks for it",
  "RSA-3072": "RSA-3072: for clients without elliptic curves",
  Ed25519: "Ed25519: only where every client knows it",
};

/** Makes an authority with a key of this install. */
export function CreateAuthorityDialog({ onClose }: { onClose: () => void }) {
  const create = useCreateAuthority();
  const router = useRouter();
  const [name, setName] = useState("");
  const [keyKind, setKeyKind] = useState<CreateAuthority["keyKind"]>("P-256");
  const [years, setYears] = useState("10");
  const [policy, setPolicy] = useState<CreateAuthority["policy"]>("ask");
  const error = (field: string) => fieldError(create.error, field);
  const submit = () =>
    afterwards(create.mutateAsync({ name: name.trim(), keyKind, years: Number(years), policy }), (made) => {
      toast.done(`${made.name} issues new certificates`);
      router.push(`/trust/authorities/${made.id}`);
      onClose();
    });
  return (
    <FormDialog
      title="New authority"
      description="Its key is made here and stays here, sealed. New devices' certificates come from it at once; what others signed stays good."
      submit="Make the authority"
      dismiss="Keep as it is"
      refused="Not made"
      busy={create.isPending}
      error={create.error}
      fields={FIELDS}
      onSubmit={submit}
      onClose={onClose}
    >
      <Field label="Name" hint="Plant, line or purpose. It also begins the common name." error={error("name")}>
        <Input required maxLength={100} autoComplete="off" value={name} onChange={(e) => setName(e.target.value)} />
      </Field>
      <Field
        label="Key"
        hint={
          keyKind === "Ed25519"
            ? "TLS libraries before 2018 and many secure elements can't check it: such devices would not even send their certificate."
            : undefined
        }
        error={error("keyKind")}
      >
        <Select value={keyKind} onChange={(e) => setKeyKind(isKeyKind(e.target.value) ? e.target.value : "P-256")}>
          {Object.entries(KEY_KINDS).map(([value, words]) => (
            <option key={value} value={value}>
              {words}
            </option>
          ))}
        </Select>
      </Field>
      <Field label="Years it is valid" hint="Nothing that it signs lives longer." error={error("years")}>
        <Input
          required
          type="number"
          min={1}
          max={30}
          value={years}
          onChange={(event) => setYears(event.target.value)}
        />
      </Field>
      <PolicyField policy={policy} error={error("policy")} onChange={setPolicy} />
    </FormDialog>
  );
}

function isKeyKind(text: string): text is CreateAuthority["keyKind"] {
  return text in KEY_KINDS;
}

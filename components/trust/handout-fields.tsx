"use client";

import { Field, Input, Select } from "#components/ui/field.tsx";
import type { Fields } from "#components/ui/use-fields.ts";
import { GroupField } from "./group-field.tsx";

type Terms = Fields<"description" | "uses" | "expiresInDays" | "policy">;
type TermsFieldsProps = { form: Terms; error: (field: string) => string | undefined; example: string; act: string };

/** What a secret is for, how many devices come with it, until when, and who lets them in. */
export function TermsFields({ form: { bound }, error, example, act }: TermsFieldsProps) {
  return (
    <>
      <Field label="Description" hint={`Where it will be used: ${example}`} error={error("description")}>
        <Input required maxLength={200} {...bound("description")} />
      </Field>
      <div className="grid gap-3.5 sm:grid-cols-2">
        <Field label="Devices" hint={`At most so many ${act} with it`} error={error("uses")}>
          <Input required type="number" min={1} max={100_000} {...bound("uses")} />
        </Field>
        <Field label="Days it can be used" error={error("expiresInDays")}>
          <Input required type="number" min={1} max={3_650} {...bound("expiresInDays")} />
        </Field>
      </div>
      <Field label="Its devices">
        <Select {...bound("policy")}>
          <option value="pending">wait until a person approves each</option>
          <option value="allowed">are let in at once</option>
        </Select>
      </Field>
    </>
  );
}

type Expected = Fields<"groupId" | "hardwareId">;
type ExpectedFieldsProps = { form: Expected; error: (field: string) => string | undefined };

/** Where devices go, and what they should be. */
export function ExpectedFields({ form: { values, bound, set }, error }: ExpectedFieldsProps) {
  return (
    <>
      <GroupField value={values.groupId} error={error("groupId")} onChange={(groupId) => set("groupId", groupId)} />
      <Field label="Hardware id" hint="What you expect to come with it" optional error={error("hardwareId")}>
        <Input maxLength={200} {...bound("hardwareId")} />
      </Field>
    </>
  );
}

/** Terms as calls want them. */
export function termsOf({ description, uses, expiresInDays, policy }: Terms["values"]) {
  return {
    description: description.trim(),
    uses: Number(uses),
    expiresInDays: Number(expiresInDays),
    policy: policy === "allowed" ? ("allowed" as const) : ("pending" as const),
  };
}

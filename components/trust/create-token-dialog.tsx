"use client";

import { Field, Input, Select } from "#components/ui/field.tsx";
import { FormDialog } from "#components/ui/form-dialog.tsx";
import { fieldError } from "#components/ui/form-error.tsx";
import { filledIn, useFields } from "#components/ui/use-fields.ts";
import { useCreateEnrolmentToken } from "#lib/client/mutations.ts";
import { ExpectedFields, TermsFields, termsOf } from "./handout-fields.tsx";
import { TokenHandout } from "./token-handout.tsx";
import { useAuthorityOptions } from "./use-authority-options.ts";

const INITIAL = {
  description: "",
  uses: "1",
  expiresInDays: "7",
  policy: "pending",
  certificateDays: "",
  authorityId: "",
  groupId: "",
  hardwareId: "",
};

/** Makes an enrolment token, and shows its secret, command and QR code this one time. */
export function CreateTokenDialog({ onClose }: { onClose: () => void }) {
  const create = useCreateEnrolmentToken();
  const issuing = useAuthorityOptions().filter(({ state, hasKey }) => state === "open" && hasKey);
  const form = useFields(INITIAL);
  const { values, bound } = form;
  if (create.data !== undefined) return <TokenHandout {...create.data} onClose={onClose} />;
  const error = (field: string) => fieldError(create.error, field);
  const submit = () =>
    create.mutate({
      ...termsOf(values),
      ...(values.certificateDays === "" ? {} : { certificateDays: Number(values.certificateDays) }),
      ...filledIn(values, ["authorityId", "groupId", "hardwareId"]),
    });
  return (
    <FormDialog
      title="New enrolment token"
      description="A secret with which devices ask for their first certificate. Each makes its own key."
      submit="Make the token"
      refused="Not made"
      busy={create.isPending}
      error={create.error}
      fields={Object.keys(INITIAL)}
      onSubmit={submit}
      onClose={onClose}
    >
      <TermsFields form={form} error={error} example="bench 3, line 4" act="enrol" />
      <Field
        label="Days a certificate is valid"
        hint="At most as long as its authority says. Devices renew by themselves."
        optional
        error={error("certificateDays")}
      >
        <Input type="number" min={1} max={3_650} {...bound("certificateDays")} />
      </Field>
      <Field label="Authority" error={error("authorityId")}>
        <Select {...bound("authorityId")}>
          <option value="">the one that issues new certificates</option>
          {issuing.map(({ id, name }) => (
            <option key={id} value={id}>
              {name}
            </option>
          ))}
        </Select>
      </Field>
      <ExpectedFields form={form} error={error} />
    </FormDialog>
  );
}

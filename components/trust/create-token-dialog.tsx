"use client";

import { useId, useState } from "react";
import { Button } from "#components/ui/button.tsx";
import { Dialog } from "#components/ui/dialog.tsx";
import { Field, Input, Select } from "#components/ui/field.tsx";
import { FormError, fieldError } from "#components/ui/form-error.tsx";
import { useCreateEnrolmentToken } from "#lib/client/mutations.ts";
import type { CreateEnrolmentToken } from "#lib/contracts/console/enrolment.ts";
import { TokenHandout } from "./token-handout.tsx";
import { useAuthorityOptions } from "./use-authority-options.ts";

const FIELDS = [
  "description",
  "uses",
  "expiresInDays",
  "certificateDays",
  "authorityId",
  "groupId",
  "hardwareId",
] as const;
type Values = Readonly<Record<(typeof FIELDS)[number], string>>;
const INITIAL: Values = {
  description: "",
  uses: "1",
  expiresInDays: "7",
  certificateDays: "",
  authorityId: "",
  groupId: "",
  hardwareId: "",
};

/** Makes an enrolment token, and shows its secret, command and QR code this one time. */
export function CreateTokenDialog({ onClose }: { onClose: () => void }) {
  const create = useCreateEnrolmentToken();
  const issuing = useAuthorityOptions().filter(({ state, hasKey }) => state === "open" && hasKey);
  const formId = useId();
  const [values, setValues] = useState(INITIAL);
  const [policy, setPolicy] = useState<"pending" | "allowed">("pending");
  if (create.data !== undefined) return <TokenHandout {...create.data} onClose={onClose} />;
  const bound = (field: keyof Values) => ({
    value: values[field],
    autoComplete: "off",
    onChange: (event: { target: { value: string } }) => setValues({ ...values, [field]: event.target.value }),
  });
  const error = (field: string) => fieldError(create.error, field);
  return (
    <Dialog
      title="New enrolment token"
      description="A secret with which devices ask for their first certificate. Each makes its own key."
      onClose={onClose}
      footer={
        <>
          <Button onClick={onClose}>Close</Button>
          <Button type="submit" form={formId} look="primary" busy={create.isPending}>
            Make the token
          </Button>
        </>
      }
    >
      <form
        id={formId}
        className="grid gap-3.5"
        onSubmit={(event) => {
          event.preventDefault();
          create.mutate(inputOf(values, policy));
        }}
      >
        <Field label="Description" hint="Where it will be used: bench 3, line 4" error={error("description")}>
          <Input required maxLength={200} {...bound("description")} />
        </Field>
        <div className="grid gap-3.5 sm:grid-cols-2">
          <Field label="Devices" hint="At most so many enrol with it" error={error("uses")}>
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

function inputOf(values: Values, policy: "pending" | "allowed"): CreateEnrolmentToken {
  const given = (field: keyof Values) => (values[field].trim() === "" ? {} : { [field]: values[field].trim() });
  return {
    description: values.description.trim(),
    uses: Number(values.uses),
    expiresInDays: Number(values.expiresInDays),
    policy,
    ...(values.certificateDays.trim() === "" ? {} : { certificateDays: Number(values.certificateDays) }),
    ...given("authorityId"),
    ...given("groupId"),
    ...given("hardwareId"),
  };
}

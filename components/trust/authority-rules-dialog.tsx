"use client";

import { useQuery } from "@tanstack/react-query";
import { useDeferredValue, useState } from "react";
import { Checkbox, Field, Input, Select, Textarea } from "#components/ui/field.tsx";
import { FormDialog } from "#components/ui/form-dialog.tsx";
import { fieldError } from "#components/ui/form-error.tsx";
import { toast } from "#components/ui/toast.tsx";
import { afterwards } from "#lib/client/afterwards.ts";
import { api } from "#lib/client/api.ts";
import { useChangeAuthority } from "#lib/client/authority-mutations.ts";
import { plural } from "#lib/client/format.ts";
import { keys } from "#lib/client/keys.ts";
import type { Authority } from "#lib/contracts/console/authorities.ts";
import { type RulesForm, toChange, toForm, toNewcomerRules } from "./authority-rules-form.ts";
import { ID_FIELDS, isIdField, KEY_TYPE_NAMES } from "./authority-words.ts";
import { PolicyField } from "./policy-field.tsx";

const NUMBERS = [
  ["maxValidityDays", "Longest validity in days", "Empty: any"],
  ["newcomersPerHour", "Newcomers an hour", "Empty: any number"],
  ["certificateDays", "Days that what it issues is valid", undefined],
  ["graceDays", "Days a replaced certificate stays good", undefined],
  ["waitingDays", "Days until a waiting request lapses", undefined],
] as const;
const OPTIONAL: ReadonlySet<string> = new Set(["maxValidityDays", "newcomersPerHour"]);
const FIELDS = ["name", "policy", "subjectPattern", "keyTypes", "sourceNetworks", "note", "deviceId.template"] as const;

/** Changes what an authority asks, and says beforehand how many known certificates would not meet it. */
export function AuthorityRulesDialog({ authority, onClose }: { authority: Authority; onClose: () => void }) {
  const [form, setForm] = useState<RulesForm>(() => toForm(authority));
  const change = useChangeAuthority(authority.id);
  const error = (field: string) => fieldError(change.error, field);
  const text = (field: "name" | "subjectPattern" | "sourceNetworks" | "note" | (typeof NUMBERS)[number][0]) => ({
    value: form[field],
    autoComplete: "off",
    onChange: (event: { target: { value: string } }) => setForm({ ...form, [field]: event.target.value }),
  });
  return (
    <FormDialog
      title={`What ${authority.name} asks`}
      description="For newcomers; who is known keeps coming in. Source networks alone hold for every request."
      sticky
      submit="Save the rules"
      dismiss="Keep as it is"
      refused="Not saved"
      busy={change.isPending}
      error={change.error}
      fields={FIELDS}
      onSubmit={() => {
        afterwards(change.mutateAsync(toChange(form)), () => {
          toast.done("The rules are in force at every gateway");
          onClose();
        });
      }}
      onClose={onClose}
    >
      <Field label="Name" error={error("name")}>
        <Input required maxLength={100} {...text("name")} />
      </Field>
      <PolicyField policy={form.policy} error={error("policy")} onChange={(policy) => setForm({ ...form, policy })} />
      <DeviceIdFields
        rule={form.deviceId}
        fixed={authority.hasKey}
        error={error("deviceId.template")}
        onChange={(deviceId) => setForm({ ...form, deviceId })}
      />
      <Field label="Subject" optional hint="With * for any text, as CN=*, O=Works" error={error("subjectPattern")}>
        <Input maxLength={500} {...text("subjectPattern")} />
      </Field>
      <KeyTypes chosen={form.keyTypes} onChange={(keyTypes) => setForm({ ...form, keyTypes })} />
      <div className="grid gap-3.5 sm:grid-cols-2">
        {NUMBERS.map(([field, label, hint]) => (
          <Field key={field} label={label} hint={hint} error={error(field)}>
            <Input type="number" min={field === "graceDays" ? 0 : 1} required={!OPTIONAL.has(field)} {...text(field)} />
          </Field>
        ))}
      </div>
      <Field
        label="Source networks"
        optional
        hint="Addresses or ranges, as 10.0.0.0/8, with commas. Devices elsewhere are refused, known or not."
        error={error("sourceNetworks")}
      >
        <Input {...text("sourceNetworks")} />
      </Field>
      <Field label="Note" optional error={error("note")}>
        <Textarea maxLength={500} {...text("note")} />
      </Field>
      <UnfitNote id={authority.id} form={form} />
    </FormDialog>
  );
}

function UnfitNote({ id, form }: { id: string; form: RulesForm }) {
  const rules = toNewcomerRules(useDeferredValue(form));
  const { data } = useQuery({
    queryKey: [...keys.authorities.one(id), "preview", rules],
    queryFn: () => api.previewAuthorityRules(id, rules),
    retry: false,
  });
  if (data === undefined || data.known === 0) return null;
  return (
    <p role="status" className="text-ink-2">
      {data.unfit === 0
        ? `All of its ${plural(data.known, "known certificate")} meet these rules.`
        : `${data.unfit} of its ${plural(data.known, "known certificate")} would not be taken as newcomers: ${data.bySubject} for the subject, ${data.byKeyType} for the key, ${data.byValidity} for the validity. They keep coming in.`}
    </p>
  );
}

type DeviceId = RulesForm["deviceId"];

function DeviceIdFields(props: {
  rule: DeviceId;
  fixed: boolean;
  error: string | undefined;
  onChange: (rule: DeviceId) => void;
}) {
  const { rule, fixed, error, onChange } = props;
  return (
    <div className="grid gap-3.5 sm:grid-cols-2">
      <Field
        label="The device's id is in"
        hint={fixed ? "This install issues with it, and names devices so." : undefined}
      >
        <Select
          disabled={fixed}
          value={rule.field}
          onChange={({ target }) => onChange({ ...rule, field: isIdField(target.value) ? target.value : "cn" })}
        >
          {Object.entries(ID_FIELDS).map(([value, words]) => (
            <option key={value} value={value}>
              {words}
            </option>
          ))}
        </Select>
      </Field>
      <Field label="as" hint="{id} stands for the id" error={error}>
        <Input
          required
          disabled={fixed}
          maxLength={200}
          value={rule.template}
          onChange={({ target }) => onChange({ ...rule, template: target.value })}
        />
      </Field>
      <Checkbox
        label="The id is a UUID"
        hint="Otherwise any name, from which the device's UUID follows."
        checked={rule.form === "uuid"}
        onChange={({ target }) => onChange({ ...rule, form: target.checked ? "uuid" : "name" })}
      />
    </div>
  );
}

function KeyTypes({
  chosen,
  onChange,
}: {
  chosen: RulesForm["keyTypes"];
  onChange: (chosen: RulesForm["keyTypes"]) => void;
}) {
  return (
    <fieldset className="grid gap-1.5">
      <legend className="mb-1 font-medium">
        Kinds of key <span className="font-normal text-ink-3">(none chosen: every strong one)</span>
      </legend>
      <div className="flex flex-wrap gap-x-4 gap-y-1.5">
        {KEY_TYPE_NAMES.map((type) => (
          <Checkbox
            key={type}
            label={type}
            checked={chosen.includes(type)}
            onChange={({ target }) =>
              onChange(target.checked ? [...chosen, type] : chosen.filter((other) => other !== type))
            }
          />
        ))}
      </div>
    </fieldset>
  );
}

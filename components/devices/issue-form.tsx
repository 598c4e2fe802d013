"use client";

import { useForm } from "react-hook-form";
import { Button } from "#components/ui/button.tsx";
import { CodeLine } from "#components/ui/code-line.tsx";
import { Explain } from "#components/ui/explain.tsx";
import { Field, Input } from "#components/ui/field.tsx";
import { FormError, fieldError } from "#components/ui/form-error.tsx";
import type { IssueDevice } from "#lib/contracts/console/devices.ts";

type IssueFormProps = { busy: boolean; error: unknown; onIssue: (body: IssueDevice) => void };

/** Name and hardware id of a device whose credentials are made here. */
export function IssueForm({ busy, error, onIssue }: IssueFormProps) {
  const form = useForm<IssueDevice>({ defaultValues: { name: "", hardwareId: "" } });
  const { errors } = form.formState;
  const [name, hardwareId] = form.watch(["name", "hardwareId"]);
  return (
    <form className="grid gap-3.5" onSubmit={form.handleSubmit(onIssue)}>
      <p className="text-ink-2">
        Makes a key and a certificate for one device. It is let in from its first visit, because this console vouches
        for it.
      </p>
      <Field
        label="Name"
        hint="What people call it. It can be changed."
        error={errors.name?.message ?? fieldError(error, "name")}
      >
        <Input
          autoFocus
          autoComplete="off"
          maxLength={200}
          {...form.register("name", { required: "A device needs a name." })}
        />
      </Field>
      <Field
        label={<Explain term="hardwareId">Hardware id</Explain>}
        hint="The kind of computer, such as raspberrypi4-64. Images are made for hardware ids."
        error={errors.hardwareId?.message ?? fieldError(error, "hardwareId")}
      >
        <Input
          autoComplete="off"
          spellCheck={false}
          maxLength={200}
          className="mono"
          {...form.register("hardwareId", {
            required: "Without it no image can be chosen.",
            pattern: {
              value: /^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/,
              message: "Printable ASCII, no blanks at its ends.",
            },
          })}
        />
      </Field>
      <FormError what="Not issued" error={error} fields={["name", "hardwareId"]} />
      <Button type="submit" look="primary" busy={busy} className="justify-self-start">
        Issue credentials
      </Button>
      <details className="text-ink-2">
        <summary>The same from the command line</summary>
        <div className="mt-2">
          <CodeLine
            label="Command"
            code={`npx --no-install gatehouse device issue --name ${shellWord(name, "NAME")} --hardware ${shellWord(hardwareId, "HARDWARE")} --out ./credentials`}
          />
        </div>
      </details>
    </form>
  );
}

function shellWord(text: string, placeholder: string): string {
  const word = text.trim();
  if (word === "") return placeholder;
  return /^[\w.@:-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

"use client";

import { useForm } from "react-hook-form";
import { Button } from "#components/ui/button.tsx";
import { Explain } from "#components/ui/explain.tsx";
import { Field, Input, Select } from "#components/ui/field.tsx";
import { FormError, fieldError } from "#components/ui/form-error.tsx";
import { toast } from "#components/ui/toast.tsx";
import { afterwards } from "#lib/client/afterwards.ts";
import { useStartSimulation } from "#lib/client/mutations.ts";

type Simulation = { name: string; hardwareId: string; secondaries: string };

/** A device without hardware: real keys, the real door, the real protocol, and marked as simulated wherever it shows. */
export function SimulateForm({ onDone }: { onDone: () => void }) {
  const start = useStartSimulation();
  const form = useForm<Simulation>({ defaultValues: { name: "", hardwareId: "rpi4", secondaries: "0" } });
  const { errors } = form.formState;
  const submit = ({ name, hardwareId, secondaries }: Simulation) =>
    afterwards(
      start.mutateAsync({
        ...(name.trim() !== "" && { name: name.trim() }),
        hardwareId,
        secondaries: Number(secondaries),
      }),
      (device) => {
        toast.done(`${device.name} is starting`, { detail: "It registers within a few seconds." });
        onDone();
      },
    );
  return (
    <form className="grid gap-3.5" onSubmit={form.handleSubmit(submit)}>
      <p className="text-ink-2">
        It runs beside the worker of this install, verifies everything it is served, and shows up like any other device,
        marked as simulated.
      </p>
      <Field
        label="Name"
        optional
        hint="One is made up when you leave it empty."
        error={fieldError(start.error, "name")}
      >
        <Input autoFocus autoComplete="off" maxLength={200} {...form.register("name")} />
      </Field>
      <div className="grid grid-cols-2 gap-3">
        <Field
          label={<Explain term="hardwareId">Hardware id</Explain>}
          error={errors.hardwareId?.message ?? fieldError(start.error, "hardwareId")}
        >
          <Input
            autoComplete="off"
            spellCheck={false}
            maxLength={200}
            className="mono"
            {...form.register("hardwareId", { required: "Without it no image can be chosen." })}
          />
        </Field>
        <Field label="Secondary ECUs">
          <Select {...form.register("secondaries")}>
            {[0, 1, 2, 3, 4].map((number) => (
              <option key={number} value={number}>
                {number}
              </option>
            ))}
          </Select>
        </Field>
      </div>
      <FormError what="Not started" error={start.error} fields={["name", "hardwareId"]} />
      <Button type="submit" look="primary" busy={start.isPending} className="justify-self-start">
        Start a simulated device
      </Button>
    </form>
  );
}

"use client";

import { useId, useState } from "react";
import { Button } from "#components/ui/button.tsx";
import { Dialog } from "#components/ui/dialog.tsx";
import { Field, Input } from "#components/ui/field.tsx";
import { FormError, fieldError } from "#components/ui/form-error.tsx";
import { toast } from "#components/ui/toast.tsx";
import { afterwards } from "#lib/client/afterwards.ts";
import { useRenameDevice } from "#lib/client/mutations.ts";
import type { Device } from "#lib/contracts/console/devices.ts";

export function RenameDialog({ device, onClose }: { device: Device; onClose: () => void }) {
  const [name, setName] = useState(device.name);
  const rename = useRenameDevice(device.uuid);
  const formId = useId();
  const submit = () =>
    afterwards(rename.mutateAsync(name.trim()), (renamed) => {
      toast.done(`Renamed to ${renamed.name}`, {
        action: { label: "Undo", run: () => rename.mutate(device.name) },
      });
      onClose();
    });
  return (
    <Dialog
      title="Rename device"
      onClose={onClose}
      width="sm"
      footer={
        <>
          <Button onClick={onClose}>Keep the name</Button>
          <Button
            type="submit"
            form={formId}
            look="primary"
            busy={rename.isPending}
            disabled={name.trim() === "" || name.trim() === device.name}
          >
            Rename
          </Button>
        </>
      }
    >
      <form
        id={formId}
        className="grid gap-3"
        onSubmit={(event) => {
          event.preventDefault();
          submit();
        }}
      >
        <Field
          label="Name"
          hint="People see it here. The device itself knows only its id."
          error={fieldError(rename.error, "name")}
        >
          <Input maxLength={200} autoComplete="off" value={name} onChange={(event) => setName(event.target.value)} />
        </Field>
        <FormError what="Not renamed" error={rename.error} fields={["name"]} />
      </form>
    </Dialog>
  );
}

"use client";

import { useRouter } from "next/navigation";
import { useId, useState } from "react";
import { Button } from "#components/ui/button.tsx";
import { Dialog } from "#components/ui/dialog.tsx";
import { Field, Input } from "#components/ui/field.tsx";
import { FormError, fieldError } from "#components/ui/form-error.tsx";
import { afterwards } from "#lib/client/afterwards.ts";
import { plural } from "#lib/client/format.ts";
import { useCreateRenewalCampaign } from "#lib/client/mutations.ts";
import { newUuid } from "#lib/client/new-uuid.ts";
import type { CreateRenewalCampaign } from "#lib/contracts/console/renewal-campaigns.ts";
import { NoteField, noteOf } from "./note-field.tsx";

type CampaignDialogProps = {
  devices: CreateRenewalCampaign["devices"];
  /** How many match now. */
  count: number;
  onClose: () => void;
};

/** Begins to follow the devices that are listed behind it. */
export function CampaignDialog({ devices, count, onClose }: CampaignDialogProps) {
  const create = useCreateRenewalCampaign();
  const router = useRouter();
  const formId = useId();
  const [name, setName] = useState("");
  const [due, setDue] = useState("");
  const [note, setNote] = useState("");
  // One dialog begins one campaign, however often it has to ask.
  const [id] = useState(newUuid);
  const begin = () => {
    const body = { id, name: name.trim(), dueAt: `${due}T23:59:59Z`, devices, ...noteOf(note) };
    afterwards(create.mutateAsync(body), () => router.push(`/trust/campaigns/${id}`));
  };
  return (
    <Dialog
      title="New renewal campaign"
      description={`Lists the ${plural(count, "device")} found now and follows who of them has another certificate. Nothing happens to the devices, and none is added later.`}
      onClose={onClose}
      footer={
        <>
          <Button onClick={onClose}>Close</Button>
          <Button
            type="submit"
            form={formId}
            look="primary"
            busy={create.isPending}
            disabled={name.trim() === "" || due === ""}
          >
            Begin the campaign
          </Button>
        </>
      }
    >
      <form
        id={formId}
        className="grid gap-3.5"
        onSubmit={(event) => {
          event.preventDefault();
          begin();
        }}
      >
        <Field label="Name" hint="What it is about: before the plant CA ends" error={fieldError(create.error, "name")}>
          <Input
            required
            maxLength={100}
            autoComplete="off"
            value={name}
            onChange={(event) => setName(event.target.value)}
          />
        </Field>
        <Field
          label="Due"
          hint="The last day, in UTC. Who is left then is told of."
          error={fieldError(create.error, "dueAt")}
        >
          <Input required type="date" value={due} onChange={(event) => setDue(event.target.value)} />
        </Field>
        <NoteField value={note} onChange={setNote} />
        <FormError what="Not begun" error={create.error} fields={["name", "dueAt"]} />
      </form>
    </Dialog>
  );
}

"use client";

import { TriangleAlert } from "lucide-react";
import { useState } from "react";
import { useCan, useMe } from "#components/shell/me.tsx";
import { Button } from "#components/ui/button.tsx";
import { Callout } from "#components/ui/callout.tsx";
import { Dialog } from "#components/ui/dialog.tsx";
import { Field, Select } from "#components/ui/field.tsx";
import { FormDialog } from "#components/ui/form-dialog.tsx";
import { fieldError } from "#components/ui/form-error.tsx";
import type { Role } from "#lib/authz/permissions.ts";
import { useCreateToken } from "#lib/client/mutations.ts";
import { LifetimeField, NameField } from "./fields.tsx";
import { RoleField } from "./role-field.tsx";
import { SecretLine } from "./secret-line.tsx";

/** Makes a token and shows its text this one time. */
export function CreateTokenDialog({ onClose }: { onClose: () => void }) {
  const me = useMe();
  const mayMakeService = useCan("token.manage");
  const create = useCreateToken();
  const [name, setName] = useState("");
  const [kind, setKind] = useState<"personal" | "service">("personal");
  const [role, setRole] = useState<Role>("support");
  const [days, setDays] = useState(30);
  if (create.data !== undefined)
    return <TokenShown token={create.data.token} name={create.data.name} onClose={onClose} />;
  return (
    <FormDialog
      title="New token"
      width="sm"
      submit="Create the token"
      refused="Not created"
      disabled={name.trim() === ""}
      busy={create.isPending}
      error={create.error}
      fields={["name", "role"]}
      onSubmit={() => create.mutate({ name: name.trim(), kind, role, ...(days === 0 ? {} : { expiresInDays: days }) })}
      onClose={onClose}
    >
      <NameField
        name={name}
        example="ci, inventory export"
        error={fieldError(create.error, "name")}
        onChange={setName}
      />
      <Field
        label="Kind"
        hint={
          kind === "personal"
            ? "Ends with your account, and never does more than your role."
            : "Belongs to no person: it stays when people leave."
        }
      >
        <Select value={kind} onChange={(event) => setKind(event.target.value === "service" ? "service" : "personal")}>
          <option value="personal">Personal</option>
          <option value="service" disabled={!mayMakeService}>
            Service{mayMakeService ? "" : " (needs token.manage)"}
          </option>
        </Select>
      </Field>
      <RoleField role={role} onChange={setRole} upTo={me.role} error={fieldError(create.error, "role")} />
      <LifetimeField days={days} onChange={setDays} />
    </FormDialog>
  );
}

function TokenShown({ token, name, onClose }: { token: string; name: string; onClose: () => void }) {
  return (
    <Dialog
      title={`Token ${name}`}
      onClose={onClose}
      sticky
      footer={
        <Button look="primary" onClick={onClose}>
          I have kept it
        </Button>
      }
    >
      <div className="grid gap-3.5">
        <Callout tone="warn" icon={TriangleAlert} title="This is the only time it is shown.">
          Only its hash is kept here. If it is lost, revoke it and make another one.
        </Callout>
        <SecretLine label="The token" value={token} />
        <p className="text-ink-2">
          Send it as <code className="mono">Authorization: Bearer …</code>
        </p>
      </div>
    </Dialog>
  );
}

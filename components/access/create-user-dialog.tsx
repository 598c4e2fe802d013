"use client";

import { useId, useState } from "react";
import { Button } from "#components/ui/button.tsx";
import { Dialog } from "#components/ui/dialog.tsx";
import { Field, Input } from "#components/ui/field.tsx";
import { FormError, fieldError } from "#components/ui/form-error.tsx";
import { toast } from "#components/ui/toast.tsx";
import type { Role } from "#lib/authz/permissions.ts";
import { useCreateUser } from "#lib/client/mutations.ts";
import { RoleField } from "./role-field.tsx";

const LEAST_CHARACTERS = 12;

export function CreateUserDialog({ onClose }: { onClose: () => void }) {
  const create = useCreateUser();
  const formId = useId();
  const [email, setEmail] = useState("");
  const [name, setName] = useState("");
  const [role, setRole] = useState<Role>("support");
  const [password, setPassword] = useState("");
  const ready = email.includes("@") && name.trim() !== "" && password.length >= LEAST_CHARACTERS;
  return (
    <Dialog
      title="New user"
      description="Tell them the password yourself; it is not sent anywhere."
      onClose={onClose}
      width="sm"
      footer={
        <>
          <Button onClick={onClose}>Close</Button>
          <Button type="submit" form={formId} look="primary" busy={create.isPending} disabled={!ready}>
            Create the user
          </Button>
        </>
      }
    >
      <form
        id={formId}
        className="grid gap-3.5"
        onSubmit={(event) => {
          event.preventDefault();
          create.mutate(
            { email: email.trim(), name: name.trim(), role, password },
            {
              onSuccess: (user) => {
                toast.done(`${user.name} can sign in`);
                onClose();
              },
            },
          );
        }}
      >
        <Field label="Name" error={fieldError(create.error, "name")}>
          <Input
            required
            maxLength={100}
            autoComplete="off"
            value={name}
            onChange={(event) => setName(event.target.value)}
          />
        </Field>
        <Field label="E-mail" error={fieldError(create.error, "email")}>
          <Input
            required
            type="email"
            autoComplete="off"
            value={email}
            onChange={(event) => setEmail(event.target.value)}
          />
        </Field>
        <RoleField role={role} onChange={setRole} error={fieldError(create.error, "role")} />
        <Field
          label="First password"
          hint={`At least ${LEAST_CHARACTERS} characters.`}
          error={fieldError(create.error, "password")}
        >
          <Input
            required
            type="password"
            autoComplete="new-password"
            minLength={LEAST_CHARACTERS}
            value={password}
            onChange={(event) => setPassword(event.target.value)}
          />
        </Field>
        <FormError what="Not created" error={create.error} fields={["name", "email", "role", "password"]} />
      </form>
    </Dialog>
  );
}

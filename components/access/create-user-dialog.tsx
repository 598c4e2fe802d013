"use client";

import { useState } from "react";
import { Field, Input } from "#components/ui/field.tsx";
import { FormDialog } from "#components/ui/form-dialog.tsx";
import { fieldError } from "#components/ui/form-error.tsx";
import { toast } from "#components/ui/toast.tsx";
import type { Role } from "#lib/authz/permissions.ts";
import { useCreateUser } from "#lib/client/mutations.ts";
import { RoleField } from "./role-field.tsx";

const LEAST_CHARACTERS = 12;

export function CreateUserDialog({ onClose }: { onClose: () => void }) {
  const create = useCreateUser();
  const [email, setEmail] = useState("");
  const [name, setName] = useState("");
  const [role, setRole] = useState<Role>("support");
  const [password, setPassword] = useState("");
  const ready = email.includes("@") && name.trim() !== "" && password.length >= LEAST_CHARACTERS;
  return (
    <FormDialog
      title="New user"
      description="Tell them the password yourself; it is not sent anywhere."
      width="sm"
      submit="Create the user"
      refused="Not created"
      disabled={!ready}
      busy={create.isPending}
      error={create.error}
      fields={["name", "email", "role", "password"]}
      onSubmit={() => {
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
      onClose={onClose}
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
    </FormDialog>
  );
}

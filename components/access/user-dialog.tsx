"use client";

import { useId, useState } from "react";
import { useMe } from "#components/shell/me.tsx";
import { Button } from "#components/ui/button.tsx";
import { ConfirmDialog } from "#components/ui/confirm-dialog.tsx";
import { Dialog } from "#components/ui/dialog.tsx";
import { Checkbox, Field, Input } from "#components/ui/field.tsx";
import { FormError, fieldError } from "#components/ui/form-error.tsx";
import { toast } from "#components/ui/toast.tsx";
import type { Role } from "#lib/authz/permissions.ts";
import { plural } from "#lib/client/format.ts";
import { useChangeUser, useDeleteUser, useSignOutUser } from "#lib/client/mutations.ts";
import type { ChangeUser, User } from "#lib/contracts/console/accounts.ts";
import { RoleField } from "./role-field.tsx";

/** Everything that can be changed about a user; a new password and disabling end their sessions. */
export function UserDialog({ user, onClose }: { user: User; onClose: () => void }) {
  const me = useMe();
  const change = useChangeUser(user.id);
  const signOut = useSignOutUser(user.id);
  const formId = useId();
  const [deleting, setDeleting] = useState(false);
  const [name, setName] = useState(user.name);
  const [role, setRole] = useState<Role>(user.role);
  const [disabled, setDisabled] = useState(user.disabled);
  const [password, setPassword] = useState("");
  const changes: ChangeUser = {
    ...(name.trim() === user.name ? {} : { name: name.trim() }),
    ...(role === user.role ? {} : { role }),
    ...(disabled === user.disabled ? {} : { disabled }),
    ...(password === "" ? {} : { password }),
  };
  const self = user.id === me.id;
  if (deleting) return <DeleteUserDialog user={user} onClose={onClose} />;
  return (
    <Dialog
      title={user.name}
      description={user.email}
      onClose={onClose}
      width="sm"
      footer={
        <>
          <Button look="danger" disabled={self} onClick={() => setDeleting(true)} className="mr-auto">
            Delete…
          </Button>
          <Button onClick={onClose}>Close</Button>
          <Button
            type="submit"
            form={formId}
            look="primary"
            busy={change.isPending}
            disabled={Object.keys(changes).length === 0 || name.trim() === ""}
          >
            Save
          </Button>
        </>
      }
    >
      <form
        id={formId}
        className="grid gap-3.5"
        onSubmit={(event) => {
          event.preventDefault();
          change.mutate(changes, {
            onSuccess: (changed) => {
              toast.done(`${changed.name} is changed`);
              onClose();
            },
          });
        }}
      >
        <Field label="Name" error={fieldError(change.error, "name")}>
          <Input maxLength={100} autoComplete="off" value={name} onChange={(event) => setName(event.target.value)} />
        </Field>
        <RoleField role={role} onChange={setRole} error={fieldError(change.error, "role")} />
        <Field
          label="New password"
          optional
          hint="Ends every session of theirs."
          error={fieldError(change.error, "password")}
        >
          <Input
            type="password"
            autoComplete="new-password"
            value={password}
            onChange={(event) => setPassword(event.target.value)}
          />
        </Field>
        <Checkbox
          label="Disabled"
          hint="Can't sign in, and personal tokens stop working."
          checked={disabled}
          disabled={self}
          onChange={(event) => setDisabled(event.target.checked)}
        />
        <div className="flex items-center gap-3 border-t border-line pt-3.5">
          <span className="flex-1 text-ink-2">
            {user.sessions === 0 ? "Signed in nowhere" : `Signed in: ${plural(user.sessions, "session")}`}
          </span>
          <Button
            size="sm"
            busy={signOut.isPending}
            disabled={user.sessions === 0}
            onClick={() =>
              signOut.mutate(undefined, { onSuccess: () => toast.done(`${user.name} is signed out everywhere`) })
            }
          >
            Sign out everywhere
          </Button>
        </div>
        <FormError what="Not changed" error={change.error ?? signOut.error} fields={["name", "role", "password"]} />
      </form>
    </Dialog>
  );
}

function DeleteUserDialog({ user, onClose }: { user: User; onClose: () => void }) {
  const remove = useDeleteUser(user.id);
  return (
    <ConfirmDialog
      title={`Delete ${user.name}?`}
      confirm="Delete the user"
      busy={remove.isPending}
      error={remove.error}
      onClose={onClose}
      onConfirm={() =>
        remove.mutate(undefined, {
          onSuccess: () => {
            toast.done(`${user.name} is deleted`);
            onClose();
          },
        })
      }
    >
      <p>Their sessions and personal tokens end at once. What they did stays in the audit log under their name.</p>
      <p>Service tokens they made go on working.</p>
    </ConfirmDialog>
  );
}

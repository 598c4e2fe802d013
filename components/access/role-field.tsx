import { Field, Select } from "#components/ui/field.tsx";
import { ROLES, type Role } from "#lib/authz/permissions.ts";
import { ROLE_TEXT } from "./roles.ts";

export function RoleField({
  role,
  onChange,
  upTo,
  error,
}: {
  role: Role;
  onChange: (role: Role) => void;
  upTo?: Role;
  error?: string | undefined;
}) {
  const offered = upTo === undefined ? ROLES : ROLES.slice(0, ROLES.indexOf(upTo) + 1);
  return (
    <Field label="Role" hint={ROLE_TEXT[role]} error={error}>
      <Select
        value={role}
        onChange={(event) => {
          const chosen = ROLES.find((one) => one === event.target.value);
          if (chosen !== undefined) onChange(chosen);
        }}
      >
        {offered.map((one) => (
          <option key={one} value={one}>
            {one}
          </option>
        ))}
      </Select>
    </Field>
  );
}

"use client";

import { type ComponentProps, createContext, type ReactNode, useContext } from "react";
import { Button } from "#components/ui/button.tsx";
import { can, leastRoleWith, type Permission } from "#lib/authz/permissions.ts";
import type { Me } from "#lib/contracts/console/accounts.ts";

const MeContext = createContext<Me | null>(null);

export function MeProvider({ me, children }: { me: Me; children: ReactNode }) {
  return <MeContext value={me}>{children}</MeContext>;
}

/** Who looks at this page. */
export function useMe(): Me {
  const me = useContext(MeContext);
  if (me === null) throw new Error("useMe outside of the signed-in pages");
  return me;
}

/** The same table that the server asks; the server asks again. */
export function useCan(permission: Permission): boolean {
  return can(useMe().role, permission);
}

/** A button that stays visible to those who may not press it, and tells them what they lack. */
export function GuardedButton({
  permission,
  onClick,
  ...rest
}: ComponentProps<typeof Button> & { permission: Permission }) {
  const { role } = useMe();
  if (can(role, permission)) return <Button {...rest} onClick={onClick} />;
  const tip = `Needs the permission ${permission}, which the role ${leastRoleWith(permission)} has; yours is ${role}.`;
  return <Button {...rest} type="button" aria-disabled data-tip={tip} />;
}

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

/** A button that stays visible to those who may not press it, and tells them what they lack, or why nobody may now. */
export function GuardedButton({
  permission,
  blocked = null,
  onClick,
  ...rest
}: ComponentProps<typeof Button> & { permission: Permission; blocked?: string | null }) {
  const { role } = useMe();
  const may = can(role, permission);
  if (may && blocked === null) return <Button {...rest} onClick={onClick} />;
  const lacks = `Needs the permission ${permission}, which the role ${leastRoleWith(permission)} has; yours is ${role}.`;
  return <Button {...rest} type="button" aria-disabled data-tip={may ? blocked : lacks} />;
}

import { can, leastRoleWith, type Permission, type Role } from "#lib/authz/permissions.ts";
import { AppError } from "#lib/errors/app-error.ts";

/**
 * Who acts. `system` is Gatehouse itself (worker, supervisor, the operator's shell on the server): it holds every permission and
 * is named in the audit log for what it is.
 */
export type Actor =
  | { kind: "user"; id: string; name: string; role: Role; sessionId: string; address: string | null }
  | { kind: "token"; id: string; name: string; role: Role; userId: string | null; address: string | null }
  | { kind: "system"; name: string };

/** A build tool's client: the doors judge it by its scopes, so that no use case of the console takes one. */
export type MachineActor = { kind: "machine"; id: string; name: string; address: string | null };

export const SYSTEM: Actor = { kind: "system", name: "gatehouse" };
/** Somebody with a shell on the server. */
export const SHELL: Actor = { kind: "system", name: "command line" };

/**
 * The guard of every use case.
 *
 * @throws AppError `auth.forbidden` naming the missing permission and the role that has it
 */
export function requirePermission(actor: Actor, permission: Permission): void {
  if (actor.kind === "system" || can(actor.role, permission)) return;
  throw new AppError(
    "auth.forbidden",
    `This needs the permission ${permission}, which the role ${leastRoleWith(permission)} has; yours is ${actor.role}.`,
    { context: { permission, role: actor.role } },
  );
}

import type { Actor } from "#lib/authz/actor.ts";
import { can, PERMISSIONS } from "#lib/authz/permissions.ts";
import type { Me } from "#lib/contracts/console/accounts.ts";
import type { Ctx } from "#lib/ctx.ts";
import { AppError } from "#lib/errors/app-error.ts";
import * as store from "./store.ts";

export {
  createMachineClient,
  createMachineClientUntil,
  findMachineCredential,
  listMachineClients,
  type MachineClientMade,
  recordMachineClientUse,
  revokeMachineClient,
} from "./machine-clients.ts";
export { SESSION_SECONDS } from "./session-life.ts";
export { findSessionActor, getTokenActor, signOut } from "./sessions.ts";
export { completeSetup, createSetupLink, ensureFirstAdmin, isSetUp } from "./setup.ts";
export { type SignIn, signIn } from "./sign-in.ts";
export type { MachineClientRow } from "./store-machine-clients.ts";
export { createServiceToken, createToken, listTokens, revokeToken } from "./tokens.ts";
export { changeUser, createUser, deleteUser, listUsers, signOutEverywhere, signOutUser } from "./users.ts";

/** Who the caller is and what they may do. @throws AppError `auth.required` for nobody */
export async function getMe(ctx: Ctx, actor: Actor): Promise<Me> {
  if (actor.kind === "system") throw new AppError("auth.required", "Sign in first.");
  const userId = actor.kind === "user" ? actor.id : actor.userId;
  const user = userId === null ? null : await store.findUser(ctx.db, userId);
  return {
    kind: actor.kind,
    id: actor.id,
    name: actor.name,
    email: user?.email ?? null,
    role: actor.role,
    namespace: ctx.namespaceId,
    permissions: PERMISSIONS.filter((permission) => can(actor.role, permission)),
  };
}

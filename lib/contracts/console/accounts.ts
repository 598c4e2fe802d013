import { z } from "zod";
import { ROLES } from "#lib/authz/permissions.ts";
import { Empty, Instant, ListQuery, PersonText, pageOf, Uuid } from "./common.ts";
import { endpoint } from "./endpoint.ts";

export const RoleName = z.enum(ROLES);
export const Email = z
  .email()
  .max(254)
  .transform((text) => text.toLowerCase());
/** Length is what makes a password hard; 72 bytes would be bcrypt's limit, argon2id has none, 200 bounds the work. */
export const Password = z.string().min(12, "must have at least 12 characters").max(200);

export const User = z.object({
  id: Uuid,
  email: z.string(),
  name: z.string(),
  role: RoleName,
  createdAt: Instant,
  disabled: z.boolean(),
  sessions: z.number().int(),
  lastUsedAt: Instant.nullable(),
});
export type User = z.infer<typeof User>;

export const Me = z.object({
  kind: z.enum(["user", "token"]),
  id: Uuid,
  name: z.string(),
  email: z.string().nullable(),
  role: RoleName,
  namespace: z.string(),
  permissions: z.array(z.string()),
});
export type Me = z.infer<typeof Me>;

export const getMe = endpoint({
  method: "GET",
  path: "/api/v1/me",
  permission: "session.own",
  summary: "Who you are and what you may do",
  reply: Me,
});

export const listUsers = endpoint({
  method: "GET",
  path: "/api/v1/users",
  permission: "account.read",
  summary: "Users",
  query: ListQuery,
  reply: pageOf(User),
});

export const CreateUser = z.strictObject({ email: Email, name: PersonText(100), role: RoleName, password: Password });
export type CreateUser = z.infer<typeof CreateUser>;

export const createUser = endpoint({
  method: "POST",
  path: "/api/v1/users",
  permission: "account.manage",
  summary: "Create a user",
  body: CreateUser,
  status: 201,
  reply: User,
});

const ById = z.strictObject({ id: Uuid });

export const ChangeUser = z.strictObject({
  name: PersonText(100).optional(),
  role: RoleName.optional(),
  disabled: z.boolean().optional(),
  password: Password.optional(),
});
export type ChangeUser = z.infer<typeof ChangeUser>;

export const changeUser = endpoint({
  method: "PATCH",
  path: "/api/v1/users/{id}",
  permission: "account.manage",
  summary: "Change a user; a new password or a disabled account ends their sessions",
  params: ById,
  body: ChangeUser,
  reply: User,
});

export const deleteUser = endpoint({
  method: "DELETE",
  path: "/api/v1/users/{id}",
  permission: "account.manage",
  summary: "Delete a user with sessions and personal tokens",
  params: ById,
  reply: Empty,
});

export const signOutUser = endpoint({
  method: "POST",
  path: "/api/v1/users/{id}/sign-out",
  permission: "account.manage",
  summary: "End every session of a user",
  params: ById,
  body: z.strictObject({}),
  reply: User,
});

export const signOutEverywhere = endpoint({
  method: "POST",
  path: "/api/v1/me/sign-out-everywhere",
  permission: "session.own",
  summary: "End every session of yours, this one included",
  body: z.strictObject({}),
  reply: Empty,
});

export const ApiToken = z.object({
  id: Uuid,
  name: z.string(),
  kind: z.enum(["personal", "service"]),
  role: RoleName,
  owner: z.string().nullable(),
  hint: z.string(),
  createdAt: Instant,
  createdBy: z.string(),
  expiresAt: Instant.nullable(),
  lastUsedAt: Instant.nullable(),
  revokedAt: Instant.nullable(),
});
export type ApiToken = z.infer<typeof ApiToken>;

export const listTokens = endpoint({
  method: "GET",
  path: "/api/v1/tokens",
  permission: "token.own",
  summary: "API tokens: your own, and with token.manage all",
  query: ListQuery,
  reply: pageOf(ApiToken),
});

export const CreateToken = z.strictObject({
  name: PersonText(100),
  kind: z.enum(["personal", "service"]),
  role: RoleName,
  expiresInDays: z.number().int().min(1).max(3_650).optional(),
});
export type CreateToken = z.infer<typeof CreateToken>;

export const createToken = endpoint({
  method: "POST",
  path: "/api/v1/tokens",
  permission: "token.own",
  summary:
    "Create a token; its text is in this reply and nowhere else. Service tokens need token.manage; no role above your own",
  body: CreateToken,
  status: 201,
  reply: ApiToken.extend({ token: z.string() }),
});

export const revokeToken = endpoint({
  method: "POST",
  path: "/api/v1/tokens/{id}/revoke",
  permission: "token.own",
  summary: "Revoke a token at once: your own, and with token.manage any",
  params: ById,
  body: z.strictObject({}),
  reply: ApiToken,
});

export const CompleteSetup = z.strictObject({
  token: z.string().max(200),
  email: Email,
  name: PersonText(100),
  password: Password,
});
export type CompleteSetup = z.infer<typeof CompleteSetup>;

export const completeSetup = endpoint({
  method: "POST",
  path: "/api/v1/setup",
  permission: "public",
  summary: "Create the first admin with the one-time set-up link",
  body: CompleteSetup,
  status: 201,
  reply: z.object({ email: z.string() }),
});

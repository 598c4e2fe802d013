import { z } from "zod";
import { TOOL_SCOPES } from "#lib/authz/tool-scopes.ts";
import { Fingerprint, Instant, ListQuery, PersonText, pageOf, SourceNetwork, Uuid } from "./common.ts";
import { endpoint } from "./endpoint.ts";

export const ToolScopeName = z.enum(TOOL_SCOPES);

export const MachineClient = z.object({
  id: Uuid,
  name: z.string(),
  clientId: z.string(),
  scopes: z.array(ToolScopeName),
  certificateFingerprint: Fingerprint.nullable(),
  sourceNetworks: z.array(z.string()).describe("Where it may come from; none: from anywhere"),
  createdAt: Instant,
  createdBy: z.string(),
  expiresAt: Instant.nullable(),
  lastUsedAt: Instant.nullable(),
  revokedAt: Instant.nullable(),
});
export type MachineClient = z.infer<typeof MachineClient>;

export const listMachineClients = endpoint({
  method: "GET",
  path: "/api/v1/machine-clients",
  permission: "token.manage",
  summary: "Machine clients: build tools that come through the tools door",
  query: ListQuery,
  reply: pageOf(MachineClient),
});

export const CreateMachineClient = z.strictObject({
  name: PersonText(100),
  scopes: z
    .array(ToolScopeName)
    .min(1, "must name at least one scope")
    .max(TOOL_SCOPES.length)
    .refine((scopes) => new Set(scopes).size === scopes.length, "must not name a scope twice"),
  /** A TLS client certificate that is as good as the secret; its issuer does not matter. */
  certificatePem: z.string().max(32_768).optional(),
  expiresInDays: z.number().int().min(1).max(3_650).optional(),
  /** Asked of every request; none: from anywhere. */
  sourceNetworks: z.array(SourceNetwork).max(50).optional(),
});
export type CreateMachineClient = z.infer<typeof CreateMachineClient>;

export const createMachineClient = endpoint({
  method: "POST",
  path: "/api/v1/machine-clients",
  permission: "token.manage",
  summary: "Create a machine client; its secret is in this reply and nowhere else",
  body: CreateMachineClient,
  status: 201,
  reply: MachineClient.extend({ clientSecret: z.string() }),
});

export const revokeMachineClient = endpoint({
  method: "POST",
  path: "/api/v1/machine-clients/{id}/revoke",
  permission: "token.manage",
  summary: "Revoke a machine client at once, with every access token it holds",
  params: z.strictObject({ id: Uuid }),
  body: z.strictObject({}),
  reply: MachineClient,
});

import { z } from "zod";
import { Fingerprint, HardwareId, Instant, ListQuery, PersonText, pageOf, Uuid } from "./common.ts";
import { endpoint } from "./endpoint.ts";

/** What stands in a credentials.zip, and which program reads it. */
export const CREDENTIAL_ENTRIES = {
  "autoprov_credentials.p12": "aktualizr: the shared key and certificate with which it registers",
  "autoprov.url": "aktualizr and the image build: the address of the device door",
  "server_ca.pem": "aktualizr, and build tools that are told so: the authority of the doors' certificate",
  "treehub.json": "garage-push, garage-deploy, garage-check and garage-sign: address of TreeHub, client id and secret",
  "tufrepo.url": "garage-sign and garage-check: the address of the image repository",
  "root.json": "garage-sign: the signed root that it trusts from then on",
  "targets.pub": "garage-sign: the public key of the list of images",
  "targets.sec": "garage-sign: the PRIVATE key of the list of images. Whoever has it can sign any image",
  "api_gateway.url": "garage-sign in director mode, with the right to change keys: where the API is",
} as const;
export type CredentialEntry = keyof typeof CREDENTIAL_ENTRIES;

/** A credentials.zip as it is handed out, this one time. */
export const CredentialArchive = z.object({
  filename: z.string(),
  entries: z.array(z.object({ name: z.string(), readBy: z.string() })),
  archiveBase64: z.string(),
});
export type CredentialArchive = z.infer<typeof CredentialArchive>;

/** `allowed`: its devices are let in at once. `pending`: a person approves each. */
export const PROVISIONING_POLICIES = ["pending", "allowed"] as const;
export const ProvisioningPolicy = z.enum(PROVISIONING_POLICIES);
export type ProvisioningPolicy = z.infer<typeof ProvisioningPolicy>;

export const PROVISIONING_STATES = ["active", "exhausted", "expired", "revoked"] as const;

export const ProvisioningCredential = z.object({
  id: Uuid,
  description: z.string(),
  fingerprint: Fingerprint,
  state: z.enum(PROVISIONING_STATES),
  policy: ProvisioningPolicy,
  usesAllowed: z.number().int(),
  usesLeft: z.number().int(),
  certificateDays: z.number().int(),
  groupId: Uuid.nullable(),
  hardwareId: z.string().nullable(),
  validFrom: Instant,
  validUntil: Instant,
  createdAt: Instant,
  createdBy: z.string(),
  lastUsedAt: Instant.nullable(),
  revokedAt: Instant.nullable(),
  revokedBy: z.string().nullable(),
});
export type ProvisioningCredential = z.infer<typeof ProvisioningCredential>;

export const listProvisioningCredentials = endpoint({
  method: "GET",
  path: "/api/v1/provisioning-credentials",
  permission: "certificate.read",
  summary: "Shared certificates with which devices register, newest first",
  query: ListQuery,
  reply: pageOf(ProvisioningCredential),
});

export const CreateProvisioningCredential = z.strictObject({
  description: PersonText(200),
  uses: z.number().int().min(1).max(100_000).default(100),
  expiresInDays: z.number().int().min(1).max(3_650).default(30),
  policy: ProvisioningPolicy.default("pending"),
  /** A device that registers asks for a life of its own certificate; it gets at most this. */
  certificateDays: z.number().int().min(1).max(3_650).default(3_650),
  /** A static group of the device registry that its devices join. */
  groupId: Uuid.optional(),
  hardwareId: HardwareId.optional(),
});
export type CreateProvisioningCredential = z.infer<typeof CreateProvisioningCredential>;

export const createProvisioningCredential = endpoint({
  method: "POST",
  path: "/api/v1/provisioning-credentials",
  permission: "credential.manage",
  summary:
    "Make a shared certificate and its credentials.zip for devices; the private key is in the reply and nowhere else",
  body: CreateProvisioningCredential,
  status: 201,
  reply: z.object({ credential: ProvisioningCredential, archive: CredentialArchive }),
});

export const revokeProvisioningCredential = endpoint({
  method: "POST",
  path: "/api/v1/provisioning-credentials/{id}/revoke",
  permission: "credential.manage",
  summary: "Let no further device register with it; devices that did stay",
  params: z.strictObject({ id: Uuid }),
  body: z.strictObject({}),
  reply: ProvisioningCredential,
});

export const BuildCredentials = z.strictObject({
  /** What the machine client is called that stands in the archive. */
  name: PersonText(100),
  expiresInDays: z.number().int().min(1).max(3_650).optional(),
  /** Also lets the tools take keys offline, rotate them and push a root. */
  offlineKeys: z.boolean().default(false),
  /** Puts the private targets key into the archive, so that garage-sign signs by itself. */
  withTargetsKey: z.boolean().default(false),
});
export type BuildCredentials = z.infer<typeof BuildCredentials>;

export const buildCredentials = endpoint({
  method: "POST",
  path: "/api/v1/credentials/build",
  permission: "credential.manage",
  summary: "Make a machine client and its credentials.zip for build tools; the secret is in the reply and nowhere else",
  body: BuildCredentials,
  status: 201,
  reply: z.object({ clientId: z.string(), archive: CredentialArchive }),
});

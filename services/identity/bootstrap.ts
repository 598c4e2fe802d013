import { randomUUID } from "node:crypto";
import { type Actor, requirePermission } from "#lib/authz/actor.ts";
import type { ListQuery, Page } from "#lib/contracts/console/common.ts";
import {
  type CreateProvisioningCredential,
  type CredentialArchive,
  type ProvisioningCredential,
  ProvisioningPolicy,
} from "#lib/contracts/console/credentials.ts";
import type { Ctx } from "#lib/ctx.ts";
import { publishEvent } from "#lib/db/events.ts";
import { AppError } from "#lib/errors/app-error.ts";
import { parseCertificate } from "#lib/pki/certificates.ts";
import { issueBootstrapCertificate } from "#lib/pki/issue.ts";
import { generateCertificateKey } from "#lib/pki/keys.ts";
import { makePkcs12 } from "#lib/pki/pkcs12.ts";
import { record } from "#services/audit/service.ts";
import { loadDoorRootPem, openBootstrapCa } from "#services/authorities/service.ts";
import { assertGroup } from "./assert-group.ts";
import { credentialArchive } from "./credentials-zip.ts";
import type { IdentityCtx } from "./ctx.ts";
import * as store from "./store-bootstrap.ts";

/**
 * Makes a shared certificate with which a bounded number of devices register, and the credentials.zip for their image.
 *
 * @returns the archive too: the private key is in it and nowhere else
 * @throws AppError `auth.forbidden` | `request.invalid` (no static group of this id) | `keys.unsealable` |
 *   `internal.unavailable` (its authority was closed) | `backend.*` (the registry, asked about the group)
 * @see docs/contracts/gateway.md sections 4 and 6
 */
export async function createProvisioningCredential(
  ctx: IdentityCtx,
  actor: Actor,
  input: CreateProvisioningCredential,
): Promise<{ credential: ProvisioningCredential; archive: CredentialArchive }> {
  requirePermission(actor, "credential.manage");
  await assertGroup(ctx, input.groupId);
  const id = randomUUID();
  const now = ctx.clock();
  const key = generateCertificateKey();
  const issued = await issueBootstrapCertificate({
    ca: await openBootstrapCa(ctx),
    commonName: `provisioning ${id.slice(0, 8)}`,
    publicKey: key.publicKey,
    now,
    validForDays: input.expiresInDays,
  });
  const rootPem = await loadDoorRootPem(ctx);
  const { certificate } = issued;
  const pkcs12 = makePkcs12({
    privateKeyPem: key.privateKeyPem,
    certificate,
    // Until it has its own credentials the client trusts for the door what stands in here, and nothing else.
    authorities: [parseCertificate(rootPem)],
    password: "",
  });
  const archive = credentialArchive(`credentials-device-${id.slice(0, 8)}.zip`, {
    "autoprov_credentials.p12": pkcs12,
    "autoprov.url": ctx.config.gatewayUrl.replace(/\/+$/, ""),
    "server_ca.pem": rootPem,
  });
  const row = await ctx.db.$transaction(async (tx) => {
    const made = await store.insertBootstrap(tx, ctx.namespaceId, {
      id,
      description: input.description,
      fingerprint: certificate.fingerprint,
      certificate: certificate.der,
      validFrom: certificate.notBefore,
      validUntil: certificate.notAfter,
      usesAllowed: input.uses,
      policy: input.policy,
      certificateDays: input.certificateDays,
      groupId: input.groupId ?? null,
      hardwareId: input.hardwareId ?? null,
      createdAt: now,
      createdBy: actor.name,
    });
    await publishEvent(tx, ctx.namespaceId, { topic: "certificate", subjectId: certificate.fingerprint });
    await record(tx, ctx, actor, {
      action: "provisioning_credential.create",
      target: { kind: "provisioning_credential", id, name: input.description },
      after: {
        fingerprint: certificate.fingerprint,
        uses: input.uses,
        policy: input.policy,
        validUntil: certificate.notAfter.toISOString(),
      },
    });
    return made;
  });
  return { credential: toDto(row, now), archive };
}

/** @throws AppError `auth.forbidden` | `request.invalid` (a cursor that is not ours) */
export async function listProvisioningCredentials(
  ctx: Ctx,
  actor: Actor,
  query: ListQuery,
): Promise<Page<ProvisioningCredential>> {
  requirePermission(actor, "certificate.read");
  const { rows, nextCursor, total } = await store.listBootstrap(ctx.db, ctx.namespaceId, query);
  const now = ctx.clock();
  return { data: rows.map((row) => toDto(row, now)), nextCursor, total, totalIsExact: true };
}

/**
 * Lets no further device register with it, from the next request on. Devices that registered keep their own certificates.
 * Repeating it is fine.
 *
 * @throws AppError `auth.forbidden` | `provisioning_credential.not_found`
 */
export async function revokeProvisioningCredential(
  ctx: Ctx,
  actor: Actor,
  id: string,
): Promise<ProvisioningCredential> {
  requirePermission(actor, "credential.manage");
  const row = await ctx.db.$transaction(async (tx) => {
    const now = ctx.clock();
    const changed = await store.revokeBootstrap(tx, ctx.namespaceId, { id, at: now, by: actor.name });
    const found = await store.findBootstrap(tx, ctx.namespaceId, { id });
    if (found === null) {
      throw new AppError("provisioning_credential.not_found", "No provisioning credential with this id is known here.");
    }
    if (!changed) return found;
    await publishEvent(tx, ctx.namespaceId, { topic: "certificate", subjectId: found.fingerprint });
    await record(tx, ctx, actor, {
      action: "provisioning_credential.revoke",
      target: { kind: "provisioning_credential", id, name: found.description },
      after: { usesLeft: found.usesLeft },
    });
    return found;
  });
  return toDto(row, ctx.clock());
}

function toDto(row: store.BootstrapRow, now: Date): ProvisioningCredential {
  return {
    ...row,
    state: stateOf(row, now),
    policy: policyOf(row),
    validFrom: row.validFrom.toISOString(),
    validUntil: row.validUntil.toISOString(),
    createdAt: row.createdAt.toISOString(),
    lastUsedAt: row.lastUsedAt?.toISOString() ?? null,
    revokedAt: row.revokedAt?.toISOString() ?? null,
  };
}

function stateOf(row: store.BootstrapRow, now: Date): ProvisioningCredential["state"] {
  if (row.revokedAt !== null) return "revoked";
  if (row.validUntil <= now) return "expired";
  return row.usesLeft > 0 ? "active" : "exhausted";
}

/** A policy this version does not know asks a person. */
export function policyOf({ policy }: Pick<store.BootstrapRow, "policy">): ProvisioningPolicy {
  return ProvisioningPolicy.catch("pending").parse(policy);
}
